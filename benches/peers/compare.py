"""Compares sweeps with Hugging Face `transformers` and TransformerLens, on one checkpoint.

    pip install -r benches/peers/requirements.txt
    cargo build --release --example peers
    python benches/peers/compare.py CHECKPOINT [--rounds 5] [--markdown FILE]

CHECKPOINT is a directory of GPT-2 Medium's shape as Hugging Face writes it; random weights do
(`--make` writes one there). Every task is done by one side after the other, in turn, `rounds` times
after one round of warming up; what they found must agree. All sides use the same number of threads
and f32. Prints medians and the medians of the ratios of each round as a table.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent

# As ours.rs has them.
FACTOR, TARGET, WRONG = 0.6, 1000, 2000
AGREEMENT = 1e-3


def tokens(length):
    return torch.tensor([[(place * 7919 + 13) % 50257 for place in range(length)]])


def corrupted(length):
    ids = tokens(length)
    ids[0, 3] = 500
    return ids


def loss(logits):
    return -logits.double().log_softmax(-1)[TARGET].item()


# --- Hugging Face ------------------------------------------------------------------------------


class HuggingFace:
    name = "transformers"

    def __init__(self, folder):
        self.model = GPT2LMHeadModel.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="sdpa", local_files_only=True
        ).eval()

    def last(self, ids):
        return self.model(ids, use_cache=False, logits_to_keep=1).logits[0, -1]

    def forward(self, length):
        return self.last(tokens(length)).tolist()

    def layers(self, length):
        found = []
        for block in self.model.transformer.h:
            handle = block.register_forward_hook(lambda _module, _inputs, output: output * FACTOR)
            found.append(loss(self.last(tokens(length))))
            handle.remove()
        return found


# --- TransformerLens ---------------------------------------------------------------------------


class TransformerLens:
    name = "TransformerLens"

    def __init__(self, folder):
        from transformer_lens.model_bridge import TransformerBridge

        source = GPT2LMHeadModel.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True
        ).eval()
        # It wants a tokenizer that lies in a folder, and nothing here uses it.
        words = Tokenizer(WordLevel({"a": 0}, unk_token="a"))
        special = {"bos_token": "a", "eos_token": "a", "pad_token": "a"}
        with tempfile.TemporaryDirectory() as unused:
            PreTrainedTokenizerFast(tokenizer_object=words, **special).save_pretrained(unused)
            tokenizer = PreTrainedTokenizerFast.from_pretrained(unused)
            self.boot(TransformerBridge, folder, source, tokenizer)

    def boot(self, bridge, folder, source, tokenizer):
        self.model = bridge.boot_transformers(
            str(folder), hf_model=source, tokenizer=tokenizer, device="cpu"
        )

    def last(self, ids, hooks):
        return self.model.run_with_hooks(ids, fwd_hooks=hooks)[0, -1]

    def layers(self, length):
        scaled = lambda value, hook: value * FACTOR
        names = [f"blocks.{layer}.hook_resid_post" for layer in range(self.model.cfg.n_layers)]
        return [loss(self.last(tokens(length), [(name, scaled)])) for name in names]

    def heads(self, length):
        def ablate(value, hook, head):
            value[:, :, head] = 0.0
            return value

        cfg = self.model.cfg
        return [
            loss(
                self.last(
                    tokens(length),
                    [(f"blocks.{layer}.attn.hook_z", partial(ablate, head=head))],
                )
            )
            for layer in range(cfg.n_layers)
            for head in range(cfg.n_heads)
        ]

    def grid(self, length):
        from transformer_lens.patching import get_act_patch_resid_pre

        _, clean = self.model.run_with_cache(
            tokens(length), names_filter=lambda name: name.endswith("hook_resid_pre")
        )

        def difference(logits):
            return logits[0, -1, TARGET] - logits[0, -1, WRONG]

        found = get_act_patch_resid_pre(self.model, corrupted(length), clean, difference)
        return found.flatten().tolist()


# --- Ours --------------------------------------------------------------------------------------


class Ours:
    name = "hooked-gpt2"

    def __init__(self, folder, threads):
        import os

        libtorch = REPOSITORY / ".libtorch" / "torch" / "lib"
        self.process = subprocess.Popen(
            [REPOSITORY / "target" / "release" / "examples" / "peers", folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ
            | {"LD_LIBRARY_PATH": str(libtorch), "OMP_NUM_THREADS": str(threads)},
        )

    def run(self, task, length):
        print(task, length, file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"peers failed at: {task} {length}")
        return json.loads(line)


# --- The comparison ----------------------------------------------------------------------------

TASKS = [
    # task, tokens, against, what it is
    ("layers", 11, HuggingFace, "24 layers scaled"),
    ("layers", 11, TransformerLens, "24 layers scaled"),
    ("grid", 11, TransformerLens, "24 × 11 grid, patching `resid_pre`"),
    ("heads", 11, TransformerLens, "24 × 16 heads, ablating `z`"),
    ("forward", 11, HuggingFace, "one forward pass, 11 tokens"),
    ("forward", 512, HuggingFace, "one forward pass, 512 tokens"),
]


def compare(ours, peer, task, length, rounds):
    ratios, our_times, extra = [], [], None
    for number in range(rounds + 1):
        found = ours.run(task, length)
        begun = time.perf_counter()
        theirs = getattr(peer, task)(length)
        seconds = time.perf_counter() - begun
        worst = max(abs(a - b) for a, b in zip(found["values"], theirs, strict=True))
        if worst > AGREEMENT:
            sys.exit(f"{task}: {peer.name} differs by {worst}")
        if number > 0:
            ratios.append(seconds / found["seconds"])
            our_times.append(found["seconds"])
            extra = found["extra"]
    return statistics.median(ratios), our_times, worst, extra


def product_share(ours, rounds):
    """The sweep's time over its operations at the speed of a large product, in turn."""
    shares = []
    for number in range(rounds + 1):
        speed = ours.run("product", 3000)["extra"]["flops_per_second"]
        swept = ours.run("layers", 11)
        if number > 0:
            shares.append(swept["seconds"] * speed / swept["extra"]["flops"])
    return statistics.median(shares)


def make(folder):
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(n_layer=24, n_embd=1024, n_head=16))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(0.0, 0.05)
            elif ".ln_" in name:
                parameter.normal_(1.0, 0.1)
    model.save_pretrained(folder)


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--make", action="store_true", help="write random weights there first")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--only", help="only tasks of this name")
    parser.add_argument("--markdown", type=Path, help="also write the table to a file")
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    if arguments.make:
        make(arguments.checkpoint)
    ours = Ours(arguments.checkpoint, arguments.threads)
    peers = {}
    rows = []
    for task, length, kind, what in TASKS:
        if arguments.only not in (None, task):
            continue
        peer = peers.setdefault(kind, None) or kind(arguments.checkpoint)
        peers[kind] = peer
        ratio, our_times, worst, extra = compare(ours, peer, task, length, arguments.rounds)
        spread = f"{min(our_times):.2f} to {max(our_times):.2f}"
        print(f"{what}, {peer.name}: {ratio:.2f} (ours {spread} s, worst {worst:.1e})", flush=True)
        if extra and extra["measured_bytes"] is not None:
            predicted, measured = extra["predicted_bytes"] >> 20, extra["measured_bytes"] >> 20
            print(f"    memory: predicted {predicted} MiB, measured {measured} MiB", flush=True)
        rows.append((what, peer.name, f"{ratio:.1f}", f"{worst:.0e}"))
    share = product_share(ours, arguments.rounds)
    print(f"the sweep over a square product: {share:.2f}")

    import importlib.metadata

    versions = ", ".join(
        f"{package} {importlib.metadata.version(package)}"
        for package in ("torch", "transformers", "transformer-lens")
    )
    table = ["| task | against | times as fast | largest difference |", "|---|---|---|---|"]
    table += ["| " + " | ".join(row) + " |" for row in rows]
    table += ["", f"{versions}, {platform.machine()}, {arguments.threads} threads."]
    if arguments.markdown:
        arguments.markdown.write_text("\n".join(table) + "\n")
    print("\n".join(table))


if __name__ == "__main__":
    main()
