"""Every option that more than one command takes, declared once.

A command takes a group of options as one parameter, such as ``corpus: CorpusOptions``; `as_command`
spreads the fields of the group over the command line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from icfast.cli.output import progress_bar, say_cost
from icfast.errors import OptionError

if TYPE_CHECKING:
    from icfast.corpus import Corpus
    from icfast.energy import EnergyMeter, SpentJoules
    from icfast.ngrams.table import CountTable
    from icfast.parallel.threads import Work
    from icfast.pipeline import Neural

#: Order of the longest n-grams where nobody says otherwise.
DEFAULT_ORDER = 5

_CORPUS = "Corpus options"
_WORK = "Work options"
_NEURAL = "Neural models"
_ENERGY = "Energy spent"

CorpusPaths = Annotated[
    list[Path],
    typer.Argument(metavar="CORPUS", help="Token shards: files, folders or quoted patterns."),
]
CorpusOrTable = Annotated[
    list[Path],
    typer.Argument(metavar="CORPUS|TABLE", help="Token shards, or the folder of one count table."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Order = Annotated[int, typer.Option(min=1, help="Tokens in the longest n-grams.")]
OrderOrTables = Annotated[
    int | None,
    typer.Option(
        min=1,
        help=f"Tokens in the longest n-grams; {DEFAULT_ORDER} for a corpus, a table has its own.",
    ),
]
OutputFolder = Annotated[Path, typer.Option(help="Folder to write into.")]
RunFolder = Annotated[
    Path | None, typer.Option(help="Folder to write result.json and report.html into.")
]
NewTable = Annotated[Path, typer.Option(help="Folder of the new count table; must not exist.")]


def _corpus(metavar: str | None, text: str) -> typer.models.OptionInfo:
    """An option of the corpus panel."""
    info: typer.models.OptionInfo = typer.Option(
        metavar=metavar, help=text, rich_help_panel=_CORPUS
    )
    return info


EndId = Annotated[int | None, _corpus("ID", "Id that separates documents.")]
SkipBad = Annotated[
    bool,
    typer.Option(
        "--skip-bad",
        help="Leave bad files and documents out and count them; exit code 3.",
        rich_help_panel=_CORPUS,
    ),
]


@dataclass(frozen=True)
class CorpusOptions:
    """How token files are read; the keywords of `icfast.open`."""

    dtype: Annotated[
        str | None, _corpus("u1|u2|u4|i4", "Little-endian type of the ids; for headerless files.")
    ] = None
    vocab_size: Annotated[
        int | None, _corpus("V", "Number of ids; else a sidecar's, else the largest id + 1.")
    ] = None
    eos_id: EndId = None
    boundary: Annotated[str, _corpus("end|start", "Where that id stands in its document.")] = "end"
    format: Annotated[
        str | None, _corpus("NAME", "raw, llmc, datatrove or npy; else found by itself.")
    ] = None
    tokenizer: Annotated[
        str | None, _corpus("NAME", "Tokenizer that wrote the ids; recorded and compared.")
    ] = None
    cross_documents: Annotated[
        bool,
        typer.Option("--cross-documents", help="One file, one document.", rich_help_panel=_CORPUS),
    ] = False
    skip_bad: SkipBad = False

    def open(self, paths: Iterable[Path]) -> Corpus:
        """Open a corpus with these options."""
        from icfast.corpus import open_corpus

        _refuse_tables(paths := list(paths))
        return open_corpus(paths, **asdict(self))

    @property
    def given(self) -> list[str]:
        """The options that were set, as they are typed."""
        changed = [f.name for f in fields(self) if getattr(self, f.name) != f.default]
        return ["--" + name.replace("_", "-") for name in changed]


def _work(metavar: str, text: str) -> typer.models.OptionInfo:
    """An option of the work panel."""
    info: typer.models.OptionInfo = typer.Option(metavar=metavar, help=text, rich_help_panel=_WORK)
    return info


@dataclass(frozen=True)
class WorkOptions:
    """How the work is done; the result does not depend on it."""

    backend: Annotated[
        str, _work("auto|core|numba|cuda", "Kernels that run; auto takes the fastest here.")
    ] = "auto"
    threads: Annotated[int | None, _work("N", "Threads at most; the default is every core.")] = None
    memory: Annotated[
        str | None,
        _work("SIZE", "Memory to allocate at most, such as 4GiB; the default is half of the free."),
    ] = None

    temporary: Annotated[
        Path | None,
        _work("DIR", "Folder for one temporary file, where little memory would mean many passes."),
    ] = None

    @contextmanager
    def start(self) -> Iterator[Work]:
        """The work these options ask for: its cost said first, a progress bar while it runs."""
        from icfast.parallel.threads import Work

        with progress_bar() as progress:
            yield Work.of(
                self.backend, self.threads, self.memory, progress, say_cost, self.temporary
            )


def _neural(metavar: str, text: str) -> typer.models.OptionInfo:
    """An option of the panel of neural models."""
    info: typer.models.OptionInfo = typer.Option(
        metavar=metavar, help=text, rich_help_panel=_NEURAL
    )
    return info


InitialSeed = Annotated[
    int | None,
    _neural("SEED", "Score the same architecture freshly initialised too (corollary 4.1)."),
]


ModelDtype = Annotated[
    str | None,
    _neural(
        "float32|bfloat16|float16",
        "What it is computed in; the default is hf: as stored, gguf: float32.",
    ),
]


Device = Annotated[
    str, _neural("auto|cpu|cuda[:N]", "Where it is computed, and its losses added up.")
]


@dataclass(frozen=True)
class NeuralOptions:
    """How a neural model is fed; the keywords of `icfast.score` that only these have."""

    window: Annotated[
        int | None, _neural("W", "Tokens fed at once, at most; the default is the model's context.")
    ] = None
    stride: Annotated[
        int | None, _neural("S", "New tokens of each later window; the default is the window.")
    ] = None
    bos: Annotated[
        str,
        _neural("auto|none|ID", "Id before each document; auto: the model's, where it is missing."),
    ] = "auto"
    packed: Annotated[
        bool,
        typer.Option(
            "--packed",
            help="Join a shard's documents; contexts cross them.",
            rich_help_panel=_NEURAL,
        ),
    ] = False
    normaliser: Annotated[str, _neural("token|byte|word", "What the loss is stated per.")] = "token"
    checkpoint: Annotated[
        Path | None,
        _neural("DIR", "Folder of finished parts; what it holds already is not done again."),
    ] = None
    batch: Annotated[
        int | None, _neural("N", "Windows at once, at most; the default is 8192 tokens of them.")
    ] = None

    @property
    def given(self) -> dict[str, Any]:
        """The options that were set, by name."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {f.name: values[f.name] for f in fields(self) if values[f.name] != f.default}

    def of(
        self,
        model: str | None,
        model_dtype: str | None,
        initial_seed: int | None,
        backend: str,
        device: str,
    ) -> Neural | None:
        """The neural model that these options speak of; None where none was named.

        Raises:
            OptionError: options of a model that is not there, or of one that is not neural.
        """
        from icfast.kneser_ney.compact import CompactModel
        from icfast.kneser_ney.ngram import NgramModel
        from icfast.pipeline import Neural
        from icfast.quality.open_model import open_model

        if model is None:
            beside = {"model_dtype": model_dtype, "initial_seed": initial_seed}
            given = [*self.given, *(name for name, value in beside.items() if value is not None)]
            given += [] if device == "cpu" else ["device"]
            if given:
                raise OptionError(
                    f"{', '.join(given)}: for neural models only; name one with --model"
                )
            return None
        loaded = open_model(model, model_dtype=model_dtype, backend=backend, device=device)
        if isinstance(loaded, NgramModel | CompactModel):
            raise OptionError(
                f"{model} is an n-gram model; `icfast measure` fits its own to the training "
                "documents. --model takes hf:DIR or gguf:FILE; `icfast score` takes any"
            )
        return Neural(loaded, self.given, initial_seed)


@dataclass(frozen=True)
class EnergyOptions:
    """Whose counters say what the work spends, beside IC-2's floor."""

    energy: Annotated[
        str | None,
        typer.Option(
            metavar="nvml|rapl",
            help="Meter the joules of the work: the GPU's counters, or the CPU's.",
            rich_help_panel=_ENERGY,
        ),
    ] = None
    energy_idle: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="Measure idle power first, for so long; it is reported apart.",
            rich_help_panel=_ENERGY,
        ),
    ] = None

    def meter(self, gpus: Sequence[str]) -> EnergyMeter | None:
        """The meter these options ask for, idle power measured; None where they ask for none.

        Args:
            gpus: UUIDs of those the work runs on.

        Raises:
            OptionError: no such source, or GPUs are to be metered and nothing runs on one.
            MeterError, MissingExtraError: the source is not to be had here.
        """
        from icfast.energy import JoulesSource, open_meter

        if self.energy is None:
            if self.energy_idle is not None:
                raise OptionError("--energy-idle comes with --energy")
            return None
        on_gpu = self.energy == JoulesSource.NVML
        if on_gpu and not gpus:
            raise OptionError(
                "--energy nvml meters GPUs, and nothing of this runs on one; --energy rapl meters "
                "the CPU"
            )
        meter = open_meter(self.energy, gpus if on_gpu else None)
        if self.energy_idle is not None:
            meter.measure_idle(self.energy_idle)
        return meter


def is_table(path: Path) -> bool:
    """Whether a path is the folder of a count table."""
    return (path / "table.json").is_file()


def _refuse_tables(paths: Iterable[Path]) -> None:
    for path in paths:
        if is_table(path):
            raise OptionError(
                f"{path} is a count table, not a corpus; where a table will do it stands alone "
                "(`icfast merge` makes one of several)"
            )


def open_table(
    paths: list[Path], corpus: CorpusOptions, order: int | None, convention: str | None = None
) -> CountTable | None:
    """The count table, where the only path is one; None where the paths are a corpus.

    Raises:
        OptionError: an option says other than the table, or only has a meaning for a corpus.
    """
    from icfast.ngrams.table import CountTable

    if len(paths) != 1 or not is_table(paths[0]):
        return None
    if corpus.given:
        raise OptionError(
            f"{', '.join(corpus.given)} with a count table: {paths[0]} was counted under its own "
            "conventions; leave it out, or name the corpus"
        )
    table = CountTable.load(paths[0])
    for name, given, own in (
        ("order", order, table.order),
        ("convention", convention, table.source.convention),
    ):
        if given is not None and given != own:
            raise OptionError(
                f"--{name} {given}, but {paths[0]} was counted with {name} {own}; "
                "leave the option out, or count the corpus again"
            )
    return table


@dataclass(frozen=True)
class SpentOptions:
    """Joules that were spent, and who says so."""

    spent_joules: Annotated[
        float | None, typer.Option(help="Energy spent, with --spent-source.")
    ] = None
    spent_source: Annotated[
        str | None,
        typer.Option(help="Who says so: nvml, rapl, megatron-log, codecarbon, gpu-hours, stated."),
    ] = None

    def joules(self) -> SpentJoules | None:
        """What was given, None where nothing was.

        Raises:
            OptionError: joules without a source, or one that is not known.
        """
        from icfast.energy import JoulesSource, SpentJoules

        joules, source = self.spent_joules, self.spent_source
        if joules is None and source is None:
            return None
        known = [s.value for s in JoulesSource if s != JoulesSource.FLOP_ESTIMATE]
        if joules is None or source not in known:
            raise OptionError(
                f"--spent-joules comes with --spent-source, one of {', '.join(known)}; "
                f"found {joules} and {source}"
            )
        return SpentJoules(joules, JoulesSource(source))
