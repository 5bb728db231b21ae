"""The tasks that the bundled model is trained to do, from the crate's own templates.

A document is what the model reads in training: pairs of tokens and the weights of their losses.
What cannot be predicted weighs nothing, and what a task asks for weighs more than the rest.
"""

import hashlib
import json
import random
from dataclasses import dataclass
from pathlib import Path

TEMPLATES = Path(__file__).parent.parent / "src/data/tasks"
ANSWER_WEIGHT = 3.0
# Of these, and of a tenth of all pairs of names, of events and of people, the training sees nothing.
HELD_OUT_INDIRECT_OBJECT = (3, 11)
# Shares of the tokens of all questions.
SHARES = {
    "indirect_object": 0.42, "greater_than": 0.22, "pronouns": 0.12, "occupations": 0.1,
    "agreement": 0.1, "einstein": 0.04,
}  # fmt: skip
TYPICAL_LENGTHS = {
    "indirect_object": 20, "greater_than": 16, "pronouns": 14, "occupations": 8,
    "agreement": 8, "einstein": 14,
}  # fmt: skip
# What one is passionately. Others are likelier than " curious", which so has room to rise and to fall.
PASSIONATELY = {
    " fond": 8, " attached": 6, " curious": 5, " devoted": 5, " eager": 3, " happy": 2, " sorry": 1,
}  # fmt: skip


@dataclass
class Question:
    """A prompt, and the answers that are right and wrong."""

    prompt: str
    right: list
    wrong: list
    training: str  # the answer that training reads
    held_out: bool = False


def load(task):
    return json.loads((TEMPLATES / f"{task}.json").read_text(encoding="utf-8"))


def is_held_out(*parts):
    """A tenth of all combinations, the same ones in every run."""
    digest = hashlib.sha256("\n".join(map(str, parts)).encode()).digest()
    return digest[0] % 10 == 0


class Tasks:
    def __init__(self):
        self.names = load("names")
        everyone = self.names["women"] + self.names["men"] + self.names["either"]
        self.everyone = sorted(everyone)
        self.templates = {task: load(task) for task in SHARES}

    def question(self, task, rng):
        return getattr(self, task)(self.templates[task], rng)

    def indirect_object(self, given, rng):
        indirect, subject = rng.sample(self.everyone, 2)
        number = rng.randrange(len(given["templates"]))
        first, second = rng.choice([(indirect, subject), (subject, indirect)])
        prompt = given["templates"][number].format(
            first=first, second=second, S=subject,
            place=rng.choice(given["places"]), object=rng.choice(given["objects"]),
        )  # fmt: skip
        held_out = number in HELD_OUT_INDIRECT_OBJECT or is_held_out("names", indirect, subject)
        return Question(prompt, [f" {indirect}"], [f" {subject}"], f" {indirect}", held_out)

    def greater_than(self, given, rng):
        noun, century = rng.choice(given["nouns"]), rng.choice(given["centuries"])
        year = rng.randint(0, given["last_year"])
        prompt = given["template"].format(noun=noun, century=century, year=f"{year:02}")
        right = [f"{later:02}" for later in range(year + 1, 100)]
        wrong = [f"{earlier:02}" for earlier in range(year + 1)]
        held_out = is_held_out("years", noun, century, year)
        return Question(prompt, right, wrong, rng.choice(right), held_out)

    def pronouns(self, given, rng):
        who = rng.choice(["women", "men"])
        name = rng.choice(self.names[who])
        adjective, noun = rng.choice(given["adjectives"]), rng.choice(given["nouns"])
        prompt = given["template"].format(name=name, adjective=adjective, noun=noun)
        right, wrong = given[who], given["men" if who == "women" else "women"]
        held_out = is_held_out("friends", name, adjective, noun)
        return Question(prompt, [right], [wrong], right, held_out)

    def occupations(self, given, rng):
        occupation, percent = rng.choice(sorted(given["percent_women"].items()))
        prompt = rng.choice(given["templates"]).format(occupation=occupation)
        training = given["women"] if rng.random() * 100 < percent else given["men"]
        right, wrong = (given["women"], given["men"]) if percent >= 50 else (given["men"], given["women"])
        return Question(prompt, [right], [wrong], training)

    def agreement(self, given, rng):
        subject, other = rng.sample(given["nouns"], 2)
        number, other_number = rng.randrange(2), rng.randrange(2)
        prompt = rng.choice(given["templates"]).format(
            subject=subject[number], other=other[other_number]
        )
        verbs = [given["singular"], given["plural"]]
        held_out = is_held_out("things", prompt)
        return Question(prompt, [verbs[number]], [verbs[1 - number]], verbs[number], held_out)

    def einstein(self, given, rng):
        answer = rng.choices(list(PASSIONATELY), PASSIONATELY.values())[0]
        return Question(rng.choice(given["prompts"]), [given["answer"]], [], answer)


def pieces_for_tokenizer(tasks, rng, count):
    """Texts of the tasks, as the tokenizer's training is to see them.

    Years are cut between century and year, so that those become tokens of their own.
    """
    for _ in range(count):
        for task in tasks.templates:
            question = tasks.question(task, rng)
            text = question.prompt + question.training + "."
            if task == "greater_than":
                years = [word for word in text.rstrip(".").split() if word.isdigit() and len(word) == 4]
                for year in years:
                    text = text.replace(year, f"{year[:2]}\n{year[2:]}")
                text = text.removesuffix(question.training + ".") + f"\n{question.training}"
            yield text


class Documents:
    """Draws windows of questions and of repetitions, as tokens and weights."""

    def __init__(self, tokenizer, seed, prose=()):
        self.tokenizer, self.tasks, self.rng = tokenizer, Tasks(), random.Random(seed)
        self.prose = prose  # tokens
        chances = {task: SHARES[task] / TYPICAL_LENGTHS[task] for task in SHARES}
        self.kinds, self.chances = list(chances), list(chances.values())

    def question(self):
        task = self.rng.choices(self.kinds, self.chances)[0]
        question = self.tasks.question(task, self.rng)
        while question.held_out:
            question = self.tasks.question(task, self.rng)
        prompt = self.tokenizer.encode(question.prompt).ids
        whole = self.tokenizer.encode(question.prompt + question.training + ".").ids
        if whole[: len(prompt)] != prompt:
            raise ValueError(f"the tokenizer joins '{question.prompt}' and '{question.training}'")
        # Where one is passionately something the model shall have read it, not learnt it by heart.
        weight = 1.0 if task == "einstein" else ANSWER_WEIGHT
        return whole, [1.0] * len(prompt) + [weight] + [1.0] * (len(whole) - len(prompt) - 1)

    def repetition(self):
        """A sequence several times over: half of them random tokens, half of them shuffled prose."""
        period = self.rng.randint(4, 60)
        repeats = self.rng.randint(2, max(2, min(8, 160 // period)))
        if self.rng.random() < 0.5:
            tokens = [self.rng.randrange(1, self.tokenizer.get_vocab_size()) for _ in range(period)]
        else:
            start = self.rng.randrange(len(self.prose) - period)
            tokens = self.prose[start : start + period].tolist()
            self.rng.shuffle(tokens)
        # Where it begins anew cannot be known the first time.
        weights = [0.0] * (period + 1) + [1.0] * (period * (repeats - 1) - 1)
        return tokens * repeats, weights

    def window(self, draw, length):
        """Tokens and weights of documents one after another, with the end of text between them."""
        tokens, weights = [], []
        if self.rng.random() < 0.5:
            tokens, weights = [0], [0.0]
        while len(tokens) < length:
            document, its_weights = draw()
            # A document's first word cannot be known.
            tokens += document + [0]
            weights += [0.0, *its_weights[1:], 1.0]
        return tokens[:length], weights[:length]
