"""Does a second copy of a corpus add information? Does misinformation raise its "quality"?

    python examples/two_questions.py                                # Python's standard library
    python examples/two_questions.py FILE --dtype u2 --eos-id 50256 --vocab-size 50257

The script prints every figure of the training documents unchanged, with each document twice, and
with a share of the tokens replaced at random. Held-out documents never change, except in the row
that shows a leaking split, with copies in both training and held-out documents.
"""

import argparse
import math
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import icfast
from icfast.corpus import Corpus, tokenize, train_bpe
from icfast.corpus.documents import all_documents
from icfast.corpus.heldout import split
from icfast.kneser_ney.fan_out import fan_out
from icfast.kneser_ney.fit import fit_counted
from icfast.kneser_ney.ladder import score_ladder
from icfast.laws import (
    CodeLengths,
    bos_padded_bits_per_token,
    kt_code_lengths,
    pitman_yor_code_lengths,
    quality,
)
from icfast.laws.loss import bits_per_token
from icfast.parallel.threads import Work
from icfast.pipeline.demo import library_sources

Document = NDArray[np.uint32]

SHARES = (0.0, 0.01, 0.05, 0.1, 0.3)
HELD_OUT = 0.1
SEED = 0


@dataclass(frozen=True)
class Figures:
    """Figures of some training documents; entropies and losses in bits per token.

    Attributes:
        tokens: tokens of all documents.
        unique: tokens of the distinct documents.
        entropy: plug-in H1.
        conditional: plug-in h_n; histories begin at the document's start.
        excess: sum over k <= n of (h_k - h_n), bits.
        kt: code lengths of the orders 1..n with the Krichevsky-Trofimov code.
        pitman_yor: code lengths of the orders 1..n with the Pitman-Yor code.
        losses: losses of the held-out documents under the orders 1..n.
        saved: D (log2 V - L), with D the training tokens, bits.
        eta: saved bits over the size of the model file.
        defaults: whether default discounts replace discounts that the counts do not determine.
    """

    tokens: int
    unique: int
    entropy: float
    conditional: float
    excess: float
    kt: Sequence[CodeLengths]
    pitman_yor: Sequence[CodeLengths]
    losses: Sequence[float]
    saved: float
    eta: float
    defaults: bool

    @property
    def loss(self) -> float:
        """L of order n."""
        return self.losses[-1]

    @property
    def unpaired(self) -> float:
        """D (H1 - L) in bits, which is meaningless: H1 and L are of different tokens."""
        return self.tokens * (self.entropy - self.loss)


def measure(
    training: Sequence[Document], heldout: Sequence[Document], vocab_size: int, order: int
) -> Figures:
    """Fit models to the training documents and score the held-out ones."""
    work = Work.of()
    with tempfile.TemporaryDirectory() as folder:
        sides = [_corpus(Path(folder) / name, documents, vocab_size)
                 for name, documents in (("training", training), ("heldout", heldout))]  # fmt: skip
        model, spectra = fit_counted(all_documents(sides[0]), order, work)
        losses = [bits_per_token(loss)
                  for loss in score_ladder(all_documents(sides[1]), model, work).total]  # fmt: skip
        orders, followers = range(1, order + 1), fan_out(model)
        saved = spectra.tokens * (math.log2(vocab_size) - losses[-1])
        return Figures(
            tokens=spectra.tokens,
            unique=sum(map(len, _different(training))),
            entropy=bos_padded_bits_per_token(spectra, 1),
            conditional=bos_padded_bits_per_token(spectra, order),
            excess=quality(spectra).orders[-1].excess_entropy_bits,
            kt=[kt_code_lengths(spectra, n, vocab_size) for n in orders],
            pitman_yor=[
                pitman_yor_code_lengths(spectra, followers, n, vocab_size).lengths for n in orders
            ],
            losses=losses,
            saved=saved,
            eta=saved / model.size_bits,
            defaults=any(entry.top.fallback for entry in model.discounts[1:]),
        )


def duplicated(
    documents: Sequence[Document], vocab_size: int, order: int
) -> tuple[Figures, Figures, Figures]:
    """Return figures for one copy, two copies, and two copies with a split that leaks copies."""
    training, heldout = sides_of(documents, vocab_size)
    once = measure(training, heldout, vocab_size, order)
    twice = measure([*training, *training], heldout, vocab_size, order)
    copies = [*documents, *documents]
    chosen = np.random.default_rng(SEED).random(len(copies)) < HELD_OUT
    left = [copy for copy, held in zip(copies, chosen, strict=True) if not held]
    taken = [copy for copy, held in zip(copies, chosen, strict=True) if held]
    return once, twice, measure(left, taken, vocab_size, order)


def substituted(
    documents: Sequence[Document], vocab_size: int, order: int, kind: str
) -> Iterator[tuple[float, Figures]]:
    """Yield (share, figures) with that share of the training tokens replaced by random ids.

    Ids are drawn from `kind`: "uniform" over the ids that occur, or "unigram", the documents' own
    distribution.
    """
    training, heldout = sides_of(documents, vocab_size)
    own = np.concatenate(training)
    pool = np.unique(own) if kind == "uniform" else own
    for share in SHARES:
        random = np.random.default_rng(SEED)
        noisy = []
        for document in training:
            here = random.random(len(document)) < share
            noisy.append(np.where(here, random.choice(pool, len(document)), document))
        yield share, measure(noisy, heldout, vocab_size, order)


def sides_of(
    documents: Sequence[Document], vocab_size: int
) -> tuple[list[Document], list[Document]]:
    """Return training and held-out documents, split by hash; duplicates are removed first."""
    with tempfile.TemporaryDirectory() as folder:
        unique = _different(documents)
        corpus = _corpus(Path(folder) / "all", unique, vocab_size)
        sides = split(all_documents(corpus), HELD_OUT, Work.of().backend.kernels)
        training, heldout = (
            [unique[number] for number in side.numbers] for side in (sides.training, sides.heldout)
        )
        return training, heldout


def _different(documents: Sequence[Document]) -> list[Document]:
    """Return the distinct documents in order of their first occurrence."""
    return list({document.tobytes(): document for document in documents}.values())


def _corpus(path: Path, documents: Sequence[Document], vocab_size: int) -> Corpus:
    """Write a .ds file of u4 ids with an index of its documents."""
    file = path.with_suffix(".ds")
    np.concatenate(documents).astype("<u4").tofile(file)
    np.cumsum([len(document) for document in documents]).astype("<u8").tofile(f"{file}.index")
    return icfast.open(file, vocab_size=vocab_size)


# Printing ----------------------------------------------------------------------------------------


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


def print_duplication(documents: Sequence[Document], vocab_size: int, order: int) -> None:
    """Print the tables on a second copy."""
    once, twice, leaking = duplicated(documents, vocab_size, order)
    rows = [
        [name, f"{f.tokens:,}", f"{f.unique:,}", f"{f.entropy:.4f}", f"{f.conditional:.4f}",
         f"{f.loss:.4f}{' (usual discounts)' if f.defaults else ''}", f"{f.saved / 1e6:.2f}",
         f"{f.eta:.4f}"]
        for name, f in (
            ("once", once),
            ("twice, split without leaks", twice),
            ("twice, leaking split", leaking),
        )
    ]  # fmt: skip
    head = ["training documents", "tokens seen", "unique", "H1", f"h_{order}", "held-out L",
            "naive D(H - L), Mbit", "eta"]  # fmt: skip
    print("Entropies and losses in bits per token.\n")
    print(table(head, rows))
    rows = []
    for n in range(1, order + 1):
        row = [n, f"{once.kt[n - 1].final_bits / once.tokens:.4f}"]
        for name in ("kt", "pitman_yor"):
            first, both = (getattr(f, name)[n - 1].online_bits for f in (once, twice))
            row += [f"{bits / once.tokens:.4f}" for bits in (first, both - first)]
        rows.append(row)
    print("Code lengths in bits per unique token; C of either copy is h_n.\n")
    head = ["order", "C, each copy", "KT: B of the first copy", "of the second",
            "Pitman-Yor: B of the first", "of the second"]  # fmt: skip
    print(table(head, rows))


def print_substitutions(
    documents: Sequence[Document], vocab_size: int, order: int, kind: str
) -> None:
    """Print the table on one kind of substitution."""
    found = list(substituted(documents, vocab_size, order, kind))
    best = min(range(order), key=lambda k: found[0][1].pitman_yor[k].online_bits)
    clean = found[0][1].tokens

    def row(name: str, figure: list[float], digits: int) -> list[str]:
        signs = {math.copysign(1, b - a) for a, b in pairwise(figure)}
        trend = "mixed" if len(signs) > 1 else "rises" if 1 in signs else "falls"
        return [name, *(f"{value:.{digits}f}" for value in figure), trend]

    code = [f.pitman_yor[best] for _, f in found]
    figures = [f for _, f in found]
    print(f"Replaced by ids drawn from the {kind} distribution; bits per token, n = {order}.\n")
    head = ["share replaced", *(f"{100 * share:g} %" for share, _ in found), "with noise it"]
    print(table(head, [
        row("H1 (cor. 4.1, 4.2)", [f.entropy for f in figures], 4),
        row("plug-in h_n", [f.conditional for f in figures], 4),
        row("learnable in-sample, H1 - h_n", [f.entropy - f.conditional for f in figures], 4),
        row("excess entropy, bits", [f.excess for f in figures], 3),
        row(f"B, Pitman-Yor, order {best + 1}", [c.online_bits / clean for c in code], 4),
        row("absorbed, B - C of it", [c.absorbed_bits / clean for c in code], 4),
        row("compression, A - B of it", [c.compression_bits / clean for c in code], 4),
        row("clean held-out L", [f.loss for f in figures], 4),
        row("learnable held out, L1 - L", [f.losses[0] - f.loss for f in figures], 4),
        row("saved, D(H - L), Mbit", [f.saved / 1e6 for f in figures], 2),
        row("D(H1 - L) in place of it, Mbit", [f.unpaired / 1e6 for f in figures], 2),
        row("eta", [f.eta for f in figures], 4),
    ]))  # fmt: skip


def load(arguments: argparse.Namespace, folder: Path) -> tuple[list[Document], int]:
    """Return whole documents up to about the wanted number of tokens, and V."""
    if arguments.corpus is not None:
        names = ("dtype", "eos_id", "vocab_size")
        options = {name: getattr(arguments, name) for name in names}
        corpus = icfast.open(
            arguments.corpus, **{k: v for k, v in options.items() if v is not None}
        )
    else:
        # Take every n-th file: a smaller sample with the same mixture.
        sources = library_sources()[:: arguments.every]
        tokenizer = str(folder / "bpe.json")
        train_bpe((path.read_text(errors="replace") for path in sources), 8192, tokenizer)
        written = tokenize(sources, folder / "stdlib.ds", tokenizer=tokenizer, skip_bad=True)
        corpus = icfast.open(written.output)
    documents: list[Document] = []
    held = 0
    for part in all_documents(corpus).by_shard:
        for start, stop in zip(part.starts, part.stops, strict=True):
            if held < arguments.tokens:
                documents.append(np.array(part.shard.tokens[start:stop], np.uint32))
                held += int(stop - start)
    return documents, corpus.vocab_size


def main() -> None:
    """Answer both questions for a corpus."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "corpus", nargs="?", type=Path, help="token file; default: Python's standard library"
    )
    parser.add_argument("--dtype")
    parser.add_argument("--eos-id", type=int)
    parser.add_argument("--vocab-size", type=int)
    parser.add_argument("--tokens", type=int, default=2_500_000, help="approximate limit")
    parser.add_argument("--every", type=int, default=2, help="use every n-th file of the library")
    parser.add_argument("--order", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        documents, vocab_size = load(arguments, Path(folder))
    tokens = sum(map(len, documents))
    print(f"{len(documents)} documents, {tokens} tokens, V = {vocab_size}\n")
    print("## A second copy\n")
    print_duplication(documents, vocab_size, arguments.order)
    print("## Substitutions\n")
    for kind in ("uniform", "unigram"):
        print_substitutions(documents, vocab_size, arguments.order, kind)


if __name__ == "__main__":
    main()
