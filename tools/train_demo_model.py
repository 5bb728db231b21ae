#!/usr/bin/env python3
"""Train the bundled GPT-2 from a folder of .txt files, or measure one already trained."""

import argparse
import json
import math
import os
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save
from tokenizers import ByteLevelBPETokenizer, Tokenizer
from tqdm import tqdm
from transformers import GPT2Config, GPT2LMHeadModel
from transformers.utils import logging

END_OF_TEXT = "<|endoftext|>"
SHAPE = {
    "vocab_size": 8192, "n_positions": 256, "n_embd": 128, "n_layer": 12, "n_head": 4,
    "activation_function": "gelu_new", "bos_token_id": 0, "eos_token_id": 0,
    "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0,
}  # fmt: skip
CONTEXT = SHAPE["n_positions"]
PEAK_RATE = 2.5e-3
FINAL_RATE = 0.03 * PEAK_RATE
WARM_UP = 0.05  # of the steps
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
    add("--steps", type=positive, default=4650, help="optimiser steps")
    add("--batch", type=positive, default=16, help=f"windows of {CONTEXT} tokens per step")
    add("--seed", type=int, default=0, help="of the initial weights and the windows")
    add("--dtype", choices=["bf16", "f32"], default="bf16", help="arithmetic of the training")
    add("--threads", type=positive, help="CPU threads, if not PyTorch's own choice")
    add("--eval-every", type=positive, default=500, metavar="STEPS",
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
        tokenizer = train_tokenizer(dict(sorted({**texts, **held_out_texts}.items())))
        tokenizer.save(str(staging / "tokenizer.json"))
        tokens = encode(tokenizer, texts)
        held_out_tokens = encode(tokenizer, held_out_texts)

        torch.manual_seed(options.seed)
        model = GPT2LMHeadModel(GPT2Config(**SHAPE)).to(DEVICE)
        start = time.monotonic()
        losses = fit(model, tokens, held_out_tokens, options)
        seconds = time.monotonic() - start

        store(model, staging)
        seen = options.steps * options.batch * CONTEXT
        record = {
            "parameters": model.num_parameters(),
            "steps": options.steps,
            "windows_per_step": options.batch,
            "tokens_seen": seen,
            "epochs": round(seen / len(tokens), 3),
            "seed": options.seed,
            "dtype": options.dtype,
            "seconds": round(seconds),
            "losses": losses,
            **measure(load(staging), tokens, held_out_tokens, held_out_texts),
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
    return measure(model, tokens, held_out_tokens, held_out_texts)


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


def train_tokenizer(texts):
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(
        texts.values(), vocab_size=SHAPE["vocab_size"], special_tokens=[END_OF_TEXT]
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


def fit(model, tokens, held_out_tokens, options):
    """Trains the model; returns the losses on the way."""
    optimiser = torch.optim.AdamW(
        [
            {"params": [p for p in model.parameters() if p.dim() >= 2], "weight_decay": 0.1},
            {"params": [p for p in model.parameters() if p.dim() < 2], "weight_decay": 0.0},
        ],
        betas=(0.9, 0.95),
    )
    windows = tokens.unfold(0, CONTEXT + 1, 1)
    generator = torch.Generator().manual_seed(options.seed)
    losses = [{"step": 0, "held_out": mean_loss(model, held_out_tokens)}]
    recent = []
    progress = tqdm(range(1, options.steps + 1), "train")
    for step in progress:
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step, options.steps)
        picks = torch.randint(len(windows), (options.batch,), generator=generator)
        with torch.autocast(DEVICE, torch.bfloat16, enabled=options.dtype == "bf16"):
            loss = next_token_loss(model, windows[picks].to(DEVICE))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()

        recent.append(loss.item())
        if not math.isfinite(recent[-1]):
            raise BadInput(f"the loss is {recent[-1]} at step {step}: try another --seed or f32")
        if step % options.eval_every == 0 or step == options.steps:
            held_out = mean_loss(model, held_out_tokens)
            losses.append({"step": step, "training": np.mean(recent), "held_out": held_out})
            recent = []
        progress.set_postfix(loss=f"{loss:.3f}", held_out=f"{losses[-1]['held_out']:.3f}")
    return losses


def learning_rate(step, steps):
    """Linear warm-up to the peak, then a cosine down to the final rate."""
    warm_up = max(1, round(WARM_UP * steps))
    if step <= warm_up:
        return PEAK_RATE * step / warm_up
    done = (step - warm_up) / (steps - warm_up)
    return FINAL_RATE + (PEAK_RATE - FINAL_RATE) * (1 + math.cos(math.pi * done)) / 2


def next_token_loss(model, windows, reduction="mean"):
    logits = model(windows[:, :-1]).logits.float()
    return torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), windows[:, 1:].flatten(), reduction=reduction
    )


@torch.no_grad()
def mean_loss(model, tokens):
    """Nats per token over windows side by side: every token but the first is predicted once."""
    model.eval()
    whole = (len(tokens) - 1) // CONTEXT * CONTEXT
    batches = list(tokens[: whole + 1].unfold(0, CONTEXT + 1, CONTEXT).split(16))
    if whole + 1 < len(tokens):
        batches.append(tokens[whole:].unsqueeze(0))
    total = sum(next_token_loss(model, batch.to(DEVICE), "sum").item() for batch in batches)
    model.train()
    return total / (len(tokens) - 1)


def measure(model, tokens, held_out_tokens, held_out_texts):
    unigram, bigram = baselines(tokens.numpy(), held_out_tokens.numpy())
    return {
        "corpus_tokens": len(tokens),
        "held_out": sorted(held_out_texts),
        "held_out_tokens": len(held_out_tokens),
        "held_out_loss": mean_loss(model, held_out_tokens),
        "unigram_loss": unigram,
        "smoothed_bigram_loss": bigram,
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
