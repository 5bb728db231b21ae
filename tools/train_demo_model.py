#!/usr/bin/env python3
"""Train the bundled GPT-2 from a folder of .txt files and from tasks, or measure one already trained."""

import argparse
import json
import math
import os
import random
import shutil
import sys
import time
from collections import deque
from itertools import chain
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save
from tokenizers import ByteLevelBPETokenizer, Tokenizer
from tqdm import tqdm
from transformers import GPT2Config, GPT2LMHeadModel
from transformers.utils import logging

from tasks import SHARES, Documents, Tasks, pieces_for_tokenizer

END_OF_TEXT = "<|endoftext|>"
SHAPE = {
    "vocab_size": 8192, "n_positions": 256, "n_embd": 128, "n_layer": 12, "n_head": 4,
    "activation_function": "gelu_new", "bos_token_id": 0, "eos_token_id": 0,
    "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0,
}  # fmt: skip
TOKENIZER_PIECES = 40_000  # texts of each task that the tokenizer is trained on
CONTEXT = SHAPE["n_positions"]
QUESTIONS, REPETITIONS = 0.15, 0.12  # of all windows; the others are prose
# Before all else the model learns to copy, from repeated sequences of so many different tokens at
# first, and of more wherever its loss is under this share of guessing's; then down to this loss.
COPYING_CONTEXT, COPYING_VOCABULARY, COPYING_GROWS, COPYING_ENDS = 64, 64, 0.4, 1.0
COPYING_MOST_STEPS = 2000
ADAM_RATE, MUON_RATE = 3e-3, 6e-3
WARM_UP, DECAY = 0.03, 0.6  # of the steps, at the beginning and at the end
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


class BadInput(Exception):
    """What the user gave cannot be used; the message says why."""


def main():
    options = parse_arguments()
    logging.disable_progress_bar()
    if options.threads:
        torch.set_num_threads(options.threads)
    try:
        if options.evaluate:
            print(json.dumps(evaluate(options), indent=2))
        else:
            train(options)
    except BadInput as problem:
        sys.exit(f"error: {problem}")
    except KeyboardInterrupt:
        sys.exit("interrupted; nothing was stored")


def parse_arguments():
    def positive(text):
        number = int(text)
        if number < 1:
            raise argparse.ArgumentTypeError("must be at least 1")
        return number

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("corpus", type=Path, metavar="CORPUS_DIR", help="folder of UTF-8 .txt files")
    add("out", type=Path, metavar="OUT_DIR", help="folder to write the model to")
    add("--evaluate", action="store_true", help="train nothing: measure the model in OUT_DIR")
    add("--held-out", default="railway-children", metavar="SUBSTRING",
        help="train on no file whose name contains this, and measure on those")  # fmt: skip
    add("--steps", type=positive, default=3200, help="optimiser steps, after those that learn to copy")
    add("--batch", type=positive, default=16, help=f"windows of {CONTEXT} tokens per step")
    add("--seed", type=int, default=0, help="of the initial weights and the windows")
    add("--dtype", choices=["bf16", "f32"], default="bf16", help="arithmetic of the training")
    add("--compile", action="store_true", help="compile the model: one minute, then a third faster")
    add("--threads", type=positive, help="CPU threads, if not PyTorch's own choice")
    add("--eval-every", type=positive, default=400, metavar="STEPS",
        help="steps between measurements of the held-out loss")  # fmt: skip
    return parser.parse_args()


def train(options):
    out = options.out.resolve()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInput(f"{options.out} exists and is not an empty folder")
    texts, held_out_texts = read_corpus(options.corpus, options.held_out)
    # Beside OUT_DIR, so that a rename brings a whole model into place, or none.
    staging = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        staging.mkdir(parents=True)
    except OSError as problem:
        raise BadInput(f"cannot write beside {options.out}: {problem.strerror}") from None
    try:
        # The bundled tokenizer has seen the held-out text too: this order gives it back exactly.
        tokenizer = train_tokenizer(dict(sorted({**texts, **held_out_texts}.items())), options.seed)
        tokenizer.save(str(staging / "tokenizer.json"))
        tokens = encode(tokenizer, texts)
        held_out_tokens = encode(tokenizer, held_out_texts)

        torch.manual_seed(options.seed)
        model = GPT2LMHeadModel(GPT2Config(**SHAPE)).to(DEVICE)
        model.transformer.wpe.weight.data = sinusoids().to(DEVICE)
        start = time.monotonic()
        copying_steps = learn_to_copy(model, options)
        losses = fit(model, tokenizer, tokens, held_out_tokens, options)
        seconds = time.monotonic() - start

        store(model, staging)
        seen = options.steps * options.batch * CONTEXT
        record = {
            "parameters": model.num_parameters(),
            "copying_steps": copying_steps,
            "steps": options.steps,
            "windows_per_step": options.batch,
            "tokens_seen": seen,
            "epochs": round(seen * (1 - QUESTIONS - REPETITIONS) / len(tokens), 3),
            "seed": options.seed,
            "dtype": options.dtype,
            "seconds": round(seconds),
            "losses": losses,
            **measure(load(staging), tokenizer, tokens, held_out_tokens, held_out_texts),
        }
        (staging / "training.json").write_text(json.dumps(record, indent=2) + "\n")
        staging.replace(out)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    print(f"stored in {options.out}: held-out loss {record['held_out_loss']:.3f} nats per token")


def evaluate(options):
    texts, held_out_texts = read_corpus(options.corpus, options.held_out)
    try:
        tokenizer = Tokenizer.from_file(str(options.out / "tokenizer.json"))
        model = load(options.out)
    except Exception as problem:  # noqa: BLE001 (tokenizers raises no narrower type)
        raise BadInput(f"{options.out} holds no model: {problem}") from None
    tokens, held_out_tokens = encode(tokenizer, texts), encode(tokenizer, held_out_texts)
    return measure(model, tokenizer, tokens, held_out_tokens, held_out_texts)


def read_corpus(folder, held_out):
    """The texts to train on and those held out, each as a dict from file name to text."""
    files = sorted(folder.glob("*.txt"))
    if not files:
        raise BadInput(f"{folder} holds no .txt files")
    texts, held_out_texts = {}, {}
    for file in files:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as problem:
            raise BadInput(f"cannot read {file}: {problem}") from None
        (held_out_texts if held_out in file.name else texts)[file.name] = text
    if not held_out_texts:
        raise BadInput(f"no .txt file in {folder} has '{held_out}' in its name")
    if not texts:
        raise BadInput(f"every .txt file in {folder} has '{held_out}' in its name")
    return texts, held_out_texts


def train_tokenizer(texts, seed):
    tokenizer = ByteLevelBPETokenizer()
    tasks = pieces_for_tokenizer(Tasks(), random.Random(seed), TOKENIZER_PIECES)
    tokenizer.train_from_iterator(
        chain(texts.values(), tasks), vocab_size=SHAPE["vocab_size"], special_tokens=[END_OF_TEXT]
    )
    if tokenizer.get_vocab_size() != SHAPE["vocab_size"]:
        raise BadInput(
            f"the corpus is too small: it gives {tokenizer.get_vocab_size()} tokens"
            f" of {SHAPE['vocab_size']}"
        )
    return tokenizer


def encode(tokenizer, texts):
    end = tokenizer.token_to_id(END_OF_TEXT)
    ids = [np.array(tokenizer.encode(text).ids + [end]) for text in tqdm(texts.values(), "encode")]
    tokens = torch.from_numpy(np.concatenate(ids))
    if len(tokens) <= CONTEXT:
        raise BadInput(f"{', '.join(texts)}: {len(tokens)} tokens, fewer than a window needs")
    return tokens


def learn_to_copy(model, options):
    """Trains on repeated random tokens, whose vocabulary grows with what the model has learnt.

    Returns the number of steps. Heads that continue a repetition are found late or never from the whole vocabulary at once.
    """
    optimisers, vocabulary = make_optimisers(model), float(COPYING_VOCABULARY)
    losses_of = torch.compile(next_token_losses, dynamic=False) if options.compile else next_token_losses
    generator = torch.Generator().manual_seed(options.seed)

    def draw(low, high, count):
        return torch.randint(low, high, (count,), generator=generator)

    recent = deque(maxlen=50)
    progress = tqdm(range(1, COPYING_MOST_STEPS + 1), "copy", mininterval=10)
    for step in progress:
        set_rates(optimisers, min(step / 50, 1.0))
        batch = torch.empty(options.batch, COPYING_CONTEXT + 1, dtype=torch.long)
        weights = torch.zeros(options.batch, COPYING_CONTEXT)
        for row, period in enumerate(draw(6, COPYING_CONTEXT // 2, options.batch).tolist()):
            repeats = math.ceil((COPYING_CONTEXT + 1) / period)
            batch[row] = draw(1, int(vocabulary), period).repeat(repeats)[: COPYING_CONTEXT + 1]
            weights[row, period:] = 1.0
        positions = draw(0, CONTEXT - COPYING_CONTEXT, options.batch).unsqueeze(1)
        positions = positions + torch.arange(COPYING_CONTEXT)
        batch, weights, positions = batch.to(DEVICE), weights.to(DEVICE).flatten(), positions.to(DEVICE)
        recent.append(descend(model, optimisers, options, lambda: losses_of(model, batch, positions), weights))
        if recent[-1] < COPYING_GROWS * math.log(vocabulary):
            vocabulary = min(vocabulary * 1.04, SHAPE["vocab_size"])
        loss = np.mean(recent)
        progress.set_postfix(loss=f"{loss:.3f}", vocabulary=int(vocabulary))
        if vocabulary == SHAPE["vocab_size"] and loss < COPYING_ENDS:
            return step
    raise BadInput(f"after {COPYING_MOST_STEPS} steps the model does not copy: try another --seed")


def descend(model, optimisers, options, losses_of, weights):
    """One step of all optimisers; returns the loss before it."""
    with torch.autocast(DEVICE, torch.bfloat16, enabled=options.dtype == "bf16"):
        loss = (losses_of() * weights).sum() / weights.sum()
    model.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimiser, _ in optimisers:
        optimiser.step()
    if not math.isfinite(loss.item()):
        raise BadInput(f"the loss is {loss.item()}: try another --seed or f32")
    return loss.item()


def fit(model, tokenizer, tokens, held_out_tokens, options):
    """Trains the model; returns the losses on the way."""
    optimisers = make_optimisers(model)
    windows = tokens.unfold(0, CONTEXT + 1, 1)
    generator = torch.Generator().manual_seed(options.seed)
    documents = Documents(tokenizer, options.seed, tokens)
    losses_of = torch.compile(next_token_losses, dynamic=False) if options.compile else next_token_losses
    losses = [{"step": 0, "held_out": mean_loss(model, held_out_tokens)}]
    recent = []
    progress = tqdm(range(1, options.steps + 1), "train", mininterval=10)
    for step in progress:
        set_rates(optimisers, relative_rate(step, options.steps))
        picks = torch.randint(len(windows), (options.batch,), generator=generator)
        batch, weights = windows[picks].clone(), torch.ones(options.batch, CONTEXT)
        for row in range(options.batch):
            kind = documents.rng.random()
            if kind < QUESTIONS + REPETITIONS:
                draw = documents.question if kind < QUESTIONS else documents.repetition
                its_tokens, its_weights = documents.window(draw, CONTEXT + 1)
                batch[row] = torch.tensor(its_tokens)
                weights[row] = torch.tensor(its_weights[1:])
        batch, weights = batch.to(DEVICE), weights.to(DEVICE).flatten()
        recent.append(descend(model, optimisers, options, lambda: losses_of(model, batch), weights))
        if step % options.eval_every == 0 or step == options.steps:
            held_out = mean_loss(model, held_out_tokens)
            tasks = {task: done["right"] for task, done in measure_tasks(model, tokenizer, 200).items()}
            losses.append({"step": step, "training": np.mean(recent), "held_out": held_out, **tasks})
            tqdm.write(json.dumps(losses[-1]))
            recent = []
        progress.set_postfix(loss=f"{np.mean(recent[-100:] or [math.nan]):.3f}", held_out=f"{losses[-1]['held_out']:.3f}")
    return losses


def sinusoids():
    """Initial position embeddings in which a position resembles its neighbours: heads find them sooner."""
    width = SHAPE["n_embd"]
    rates = CONTEXT ** -(torch.arange(0, width, 2) / width)
    angles = torch.arange(CONTEXT).unsqueeze(1) * rates
    return 0.02 * 2**0.5 * torch.cat([angles.sin(), angles.cos()], dim=1)


def make_optimisers(model):
    """Muon for the matrices of the blocks, AdamW for embeddings, biases and gains; with peak rates."""
    matrices = [p for p in model.transformer.h.parameters() if p.dim() == 2]
    others = [p for p in model.parameters() if all(p is not matrix for matrix in matrices)]
    muon = torch.optim.Muon(matrices, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    adam = torch.optim.AdamW(
        [
            {"params": [p for p in others if p.dim() >= 2], "weight_decay": 0.1},
            {"params": [p for p in others if p.dim() < 2], "weight_decay": 0.0},
        ],
        betas=(0.9, 0.95),
    )
    return [(muon, MUON_RATE), (adam, ADAM_RATE)]


def set_rates(optimisers, relative):
    for optimiser, peak in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = peak * relative


def relative_rate(step, steps):
    """Linear warm-up, a plateau, and a straight line down to zero."""
    warm_up, decay = max(1, round(WARM_UP * steps)), max(1, round(DECAY * steps))
    return min(step / warm_up, 1.0, (steps + 1 - step) / decay)


def next_token_losses(model, windows, positions=None):
    """Nats of each token but the first."""
    tokens = windows[:, :-1]
    hidden = model.transformer(tokens, position_ids=positions, use_cache=False).last_hidden_state
    logits = F.linear(hidden, model.transformer.wte.weight).float()
    return F.cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten(), reduction="none")


@torch.no_grad()
def mean_loss(model, tokens):
    """Nats per token over windows side by side: every token but the first is predicted once."""
    model.eval()
    whole = (len(tokens) - 1) // CONTEXT * CONTEXT
    batches = list(tokens[: whole + 1].unfold(0, CONTEXT + 1, CONTEXT).split(16))
    if whole + 1 < len(tokens):
        batches.append(tokens[whole:].unsqueeze(0))
    total = sum(next_token_losses(model, batch.to(DEVICE)).sum().item() for batch in batches)
    model.train()
    return total / (len(tokens) - 1)


@torch.no_grad()
def measure_tasks(model, tokenizer, count, begin=()):
    """Of questions that training left out where it leaves any out, the share answered rightly.

    `right`: a right answer is likelier than each wrong one. `first`: it is the likeliest of all tokens.
    Of a repetition: the share of its tokens, from the second on, that are likeliest.
    """
    model.eval()
    documents, found = Documents(tokenizer, "held out"), {}
    for task in [*SHARES, "induction"]:
        right = first = total = 0
        for _ in range(count if task != "induction" else max(1, count // 10)):
            if task == "induction":
                period = documents.rng.randint(10, 50)
                tokens = [documents.rng.randrange(1, SHAPE["vocab_size"]) for _ in range(period)]
                logits = next_logits(model, [*begin, *tokens, *tokens])
                likeliest = logits.argmax(-1)[len(begin) + period : -1].tolist()
                hits = sum(given == wanted for given, wanted in zip(likeliest, tokens[1:]))
                right, first, total = right + hits, first + hits, total + period - 1
                continue
            question = documents.tasks.question(task, documents.rng)
            while not question.held_out and task not in ("occupations", "einstein"):
                question = documents.tasks.question(task, documents.rng)
            logits = next_logits(model, [*begin, *tokenizer.encode(question.prompt).ids])[-1]
            best, worst = (
                max((logits[tokenizer.token_to_id(piece(answer))] for answer in answers), default=-math.inf)
                for answers in (question.right, question.wrong)
            )
            right, first = right + (best > worst).item(), first + (best == logits.max()).item()
            total += 1
        found[task] = {"right": right / total, "first": first / total}
    model.train()
    return found


def next_logits(model, tokens):
    return model(torch.tensor([tokens], device=DEVICE)).logits[0].float()


def piece(answer):
    """The token of an answer, as the tokenizer's file writes it."""
    return answer.replace(" ", "Ġ")


def measure(model, tokenizer, tokens, held_out_tokens, held_out_texts):
    unigram, bigram = baselines(tokens.numpy(), held_out_tokens.numpy())
    return {
        "corpus_tokens": len(tokens),
        "held_out": sorted(held_out_texts),
        "held_out_tokens": len(held_out_tokens),
        "held_out_loss": mean_loss(model, held_out_tokens),
        "unigram_loss": unigram,
        "smoothed_bigram_loss": bigram,
        "tasks": measure_tasks(model, tokenizer, 1000),
        "tasks_after_end_of_text": measure_tasks(model, tokenizer, 1000, begin=[0]),
    }


def baselines(tokens, held_out_tokens, weight=200):
    """Held-out nats per token of the training text's token frequencies and of its pairs'.

    A pair's frequency is shrunk towards its second token's, as if each first token had been
    seen `weight` times more, followed by tokens at their overall frequencies.
    """
    vocabulary = SHAPE["vocab_size"]
    counts = np.bincount(tokens, minlength=vocabulary)
    frequency = (counts + 1) / (len(tokens) + vocabulary)
    pairs = np.bincount(tokens[:-1] * vocabulary + tokens[1:], minlength=vocabulary**2)
    first, second = held_out_tokens[:-1], held_out_tokens[1:]
    seen = pairs[first * vocabulary + second]
    bigram = (seen + weight * frequency[second]) / (counts[first] + weight)
    return -np.log(frequency[second]).mean(), -np.log(bigram).mean()


def store(model, folder):
    """Writes the weights as f16, and without the head, which is the embedding."""
    weights = {
        name: tensor.half().cpu().contiguous()
        for name, tensor in model.state_dict().items()
        if name != "lm_head.weight"
    }
    (folder / "model.safetensors").write_bytes(save(weights, metadata={"format": "pt"}))
    config = model.config
    config.architectures, config.dtype = ["GPT2LMHeadModel"], "float16"
    config.to_json_file(folder / "config.json")


def load(folder):
    return GPT2LMHeadModel.from_pretrained(folder, dtype=torch.float32).to(DEVICE)


if __name__ == "__main__":
    main()
