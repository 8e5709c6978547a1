"""Train a small byte-level transformer and log what icfast needs to compute its absorbed bits.

    python examples/train_tiny.py --output run        # some minutes on two cores

B is the sum of each batch's loss before its update. C is the loss of the final weights in a fresh
pass over the same tokens. Both are code lengths under one policy: each window of 128 bytes is a
document with a begin mark, so every byte is predicted once, from the bytes before it in its window.
Training reads the windows in the order of train.ds; each later epoch shuffles them.

The script writes train.ds, heldout.ds, log.csv, model.safetensors and run.json, and prints the
`icfast laws run` command that combines B and C. It needs pip install 'icfast[neural]'.
"""

import argparse
import json
import math
import platform
import shlex
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional

import icfast
from icfast.backends.select import select
from icfast.corpus import Corpus, tokenize
from icfast.corpus.documents import all_documents
from icfast.corpus.heldout import predicted_set_sha256
from icfast.laws.loss import nats_per_token
from icfast.pipeline.demo import library_sources
from icfast.units import bits_to_nats

VOCABULARY, WINDOW, BATCH = 256, 128, 16
BEGIN = 0  # no text contains this byte
WIDTH, HEADS, LAYERS, INIT_STD = 128, 4, 4, 0.02


class Block(nn.Module):
    """Transformer block: attention and a feed-forward layer, both with residual connections."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = (nn.LayerNorm(WIDTH, bias=False) for _ in range(2))
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH, False), nn.Linear(WIDTH, WIDTH, False)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH, False), nn.Linear(4 * WIDTH, WIDTH, False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return activations of the same shape, (windows, positions, WIDTH)."""
        heads = self.qkv(self.norm1(x)).unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(*heads, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).flatten(2))
        return x + self.down(functional.gelu(self.up(self.norm2(x))))


class Tiny(nn.Module):
    """Byte-level transformer; the output embedding is tied to the input embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes, self.places = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(WINDOW, WIDTH)
        self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
        self.norm = nn.LayerNorm(WIDTH, bias=False)
        for weight in self.parameters():
            if weight.ndim == 2:
                nn.init.normal_(weight, std=INIT_STD)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Map ids, i64(windows, positions), to logits, (windows, positions, VOCABULARY)."""
        x = self.bytes(ids) + self.places.weight[: ids.shape[1]]
        return functional.linear(self.norm(self.blocks(x)), self.bytes.weight)


def write_corpus(path: Path, windows: np.ndarray) -> Corpus:
    """Write windows as a corpus of documents: the ids, and an index of document ends."""
    windows.tofile(path)
    (np.arange(1, len(windows) + 1) * WINDOW).astype("<u8").tofile(f"{path}.index")
    return icfast.open(path, dtype="u1", vocab_size=VOCABULARY)


def gather(args: argparse.Namespace) -> tuple[Corpus, Corpus]:
    """Write training and held-out windows: the texts' windows in random order, cut at both ends."""
    texts = tokenize(args.texts or library_sources(), args.output / "texts.ds", skip_bad=True)
    ids = np.fromfile(texts.output, np.uint8)
    windows = ids[: len(ids) // WINDOW * WINDOW].reshape(-1, WINDOW)
    windows = np.random.default_rng(args.seed).permutation(windows)
    first, last = args.tokens // (BATCH * WINDOW) * BATCH, args.heldout // WINDOW
    if min(first, last) < 1 or first + last > len(windows):
        raise SystemExit(
            f"the texts have {len(windows)} windows, but {first} training and {last} held-out "
            "windows are needed"
        )
    trained_on, held_out = windows[:first], windows[-last:]
    if args.substitute:  # draw from the texts' bytes, so that byte frequencies stay the same
        rng = np.random.default_rng([args.seed, 1])
        replaced = rng.random(trained_on.shape) < args.substitute
        trained_on = np.where(replaced, rng.choice(ids, trained_on.shape), trained_on)
    return (
        write_corpus(args.output / "train.ds", trained_on),
        write_corpus(args.output / "heldout.ds", held_out),
    )


def batches(corpus: Corpus, epochs: int, seed: int) -> Iterator[tuple[int, torch.Tensor]]:
    """Yield the epoch, from 1, and i64(BATCH, WINDOW); later epochs are shuffled."""
    windows = torch.from_numpy(corpus.shards[0].tokens.reshape(-1, WINDOW).astype(np.int64))
    rng, order = np.random.default_rng([seed, 2]), np.arange(len(windows))
    for epoch in range(1, epochs + 1):
        for rows in order.reshape(-1, BATCH):
            yield epoch, windows[rows]
        order = rng.permutation(order)


def train(model: Tiny, corpus: Corpus, args: argparse.Namespace) -> list[float]:
    """Train the model, and log the loss of each batch in nats per token before its update."""
    optimizer = torch.optim.Adam(model.parameters(), betas=(0.9, 0.95))
    losses: list[float] = []
    with (args.output / "log.csv").open("w") as log:
        log.write("step,tokens,loss,lr,epoch\n")
        for step, (epoch, targets) in enumerate(batches(corpus, args.epochs, args.seed), 1):
            fed = functional.pad(targets[:, :-1], (1, 0), value=BEGIN)
            loss = functional.cross_entropy(model(fed).flatten(0, 1), targets.flatten())
            rate = args.rate * min(1.0, step / 100)
            losses.append(loss.item())
            # Nine digits identify a float32.
            log.write(f"{step},{step * targets.numel()},{losses[-1]:.9g},{rate:.3g},{epoch}\n")
            loss.backward()
            optimizer.param_groups[0]["lr"] = rate
            optimizer.step()
            optimizer.zero_grad()
            if step % 100 == 0:
                print(f"step {step}: {losses[-1]:.3f} nats per byte", flush=True)
    return losses


def fresh_pass(weights: Path, corpus: Corpus) -> tuple[float, str]:
    """Return the loss of stored weights in nats per token, and the hash of the tokens."""
    model = Tiny()
    model.load_state_dict(load_file(weights))
    with torch.inference_mode():
        scores = icfast.score(
            corpus, lambda ids: model(torch.from_numpy(ids)), window=WINDOW, bos=BEGIN
        )
    return nats_per_token(scores.total), scores.predicted_set_sha256


def main() -> None:
    """Gather text, train, score once more, and print the command for `icfast laws run`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("texts", nargs="*", type=Path, help="default: Python's standard library")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--tokens", type=int, default=3 << 20, help="tokens per epoch")
    parser.add_argument("--heldout", type=int, default=1 << 18, help="held-out tokens")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rate", type=float, default=2e-3, help="learning rate after warm-up")
    parser.add_argument(
        "--substitute", type=float, default=0.0, help="share of training bytes to replace"
    )
    parser.add_argument("--threads", type=int, default=2, help="threads of torch")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(args.seed)
    args.output.mkdir(parents=True, exist_ok=True)
    corpus, held_out = gather(args)
    trained_on = predicted_set_sha256(all_documents(corpus), select().kernels)
    model, weights = Tiny(), args.output / "model.safetensors"
    unigrams = icfast.spectra(corpus, order=1)[1]
    losses = train(model, corpus, args)
    save_file(model.state_dict(), weights)
    final_loss, scored = fresh_pass(weights, corpus)
    facts = {
        "params": sum(weight.numel() for weight in model.parameters()),
        "bits_per_param": 32,
        "entropy_nats_per_token": math.log(VOCABULARY),
        "baseline": "uniform",
        "final_loss_nats_per_token": final_loss,
        "predicted_set": trained_on,
        "final_predicted_set": scored,
    }
    expected = icfast.laws.expected_initial_loss_nats(VOCABULARY, INIT_STD**2 * WIDTH)
    run = {
        "laws": facts,  # arguments of icfast.laws.training_run and `icfast laws run`
        "options": {"seed": args.seed, "epochs": args.epochs, "substitute": args.substitute},
        "first_loss_nats": losses[0],
        "expected_initial_loss_nats": expected,
        "unigram_entropy_nats": bits_to_nats(icfast.entropy_bits(unigrams, "ml")),
        "heldout_loss_nats": fresh_pass(weights, held_out)[0],
        "versions": {"python": platform.python_version()}
        | {package.__name__: package.__version__ for package in (icfast, np, torch)},
    }
    (args.output / "run.json").write_text(json.dumps(run, indent=2) + "\n")
    options = [f"--{name.replace('_', '-')}={value}" for name, value in facts.items()]
    print(shlex.join(["icfast", "laws", "run", str(args.output / "log.csv"), *options]))


if __name__ == "__main__":
    main()
