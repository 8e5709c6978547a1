"""Every option that more than one command takes, declared once.

A command takes a group of options as one parameter, such as ``corpus: CorpusOptions``; `as_command`
spreads the fields of the group over the command line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from icfast import parallel
from icfast.cli.output import progress_bar, say_cost
from icfast.corpus.options import CorpusOptions
from icfast.errors import OptionError

if TYPE_CHECKING:
    from icfast.corpus import Corpus
    from icfast.energy import EnergyMeter, SpentJoules
    from icfast.ngrams.table import CountTable
    from icfast.parallel.threads import Work
    from icfast.pipeline.neural import Neural

#: Order of the longest n-grams where nobody says otherwise.
DEFAULT_ORDER = 5

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
OutputFolder = Annotated[Path, typer.Option(help="Folder for the results.")]
TemperatureKelvin = Annotated[float, typer.Option(help="Temperature for IC-2, in kelvin.")]
RunFolder = Annotated[
    Path | None, typer.Option(help="Folder to write result.json and report.html into.")
]
NewTable = Annotated[Path, typer.Option(help="Folder of the new count table; must not exist.")]


def _option(panel: str | None, default: Any, help: str, **about: Any) -> Any:  # noqa: A002 - typer's name
    """Return a dataclass field that `as_command` turns into an option."""
    return field(default=default, metadata={"help": help, "panel": panel, **about})


@dataclass(frozen=True)
class WorkOptions(parallel.WorkOptions):
    """Work options of a command."""

    @contextmanager
    def start(self) -> Iterator[Work]:
        """Print the plan of the work, and draw a progress bar while it runs."""
        with progress_bar() as progress:
            yield self.resolve(progress, say_cost)


InitialSeed = Annotated[
    int | None,
    typer.Option(
        metavar="SEED",
        help="Also score the same architecture with fresh random weights (corollary 4.1).",
        rich_help_panel=_NEURAL,
    ),
]
ModelDtype = Annotated[
    str | None,
    typer.Option(
        metavar="float32|bfloat16|float16",
        help="Type of the computation. Default: as stored for hf, float32 for gguf.",
        rich_help_panel=_NEURAL,
    ),
]
Device = Annotated[
    str,
    typer.Option(
        metavar="auto|cpu|cuda[:N]",
        help="Device that computes the model and sums its losses.",
        rich_help_panel=_NEURAL,
    ),
]


@dataclass(frozen=True)
class NeuralOptions:
    """Options for feeding a neural model: keywords of `icfast.score`."""

    window: int | None = _option(
        _NEURAL, None, "Maximum tokens fed at once. Default: the model's context.", metavar="W"
    )
    stride: int | None = _option(
        _NEURAL, None, "New tokens of each later context. Default: the whole context.", metavar="S"
    )
    bos: str = _option(
        _NEURAL,
        "auto",
        "Id fed before each document. auto: the model's own, if the corpus has none.",
        metavar="auto|none|ID",
    )
    packed: bool = _option(_NEURAL, False, "Join a shard's documents; contexts cross them.")
    normaliser: str = _option(
        _NEURAL, "token", "Unit that the loss is divided by.", metavar="token|byte|word"
    )
    checkpoint: Path | None = field(
        default=None,
        metadata={
            "help": "Folder for finished parts of the work; a later run resumes from it.",
            "panel": _NEURAL,
            "metavar": "DIR",
        },
    )
    batch: int | None = _option(
        _NEURAL, None, "Maximum contexts per batch. Default: 8192 tokens of them.", metavar="N"
    )

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
        from icfast.kneser_ney.model import NgramModel
        from icfast.pipeline.neural import Neural
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

    energy: str | None = _option(
        _ENERGY,
        None,
        "Meter the joules of the work: nvml reads the GPUs' counters, rapl the CPUs'.",
        metavar="nvml|rapl",
    )
    energy_idle: float | None = _option(
        _ENERGY,
        None,
        "Measure idle power for this many seconds first; reported separately.",
        metavar="SECONDS",
    )

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


def open_shards(paths: Iterable[Path], options: CorpusOptions) -> Corpus:
    """Open a corpus from the paths on a command line.

    Raises:
        OptionError: a path is a count table.
    """
    from icfast.corpus import open_corpus

    paths = list(paths)
    for path in paths:
        if is_table(path):
            raise OptionError(
                f"{path} is a count table, not a corpus. A command that reads tables takes one "
                "table alone: use `icfast merge` to combine several"
            )
    return open_corpus(paths, options=options)


def typed(options: CorpusOptions) -> str:
    """Return the options that differ from their defaults, as they are typed."""
    return ", ".join("--" + name.replace("_", "-") for name in options.given)


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
            f"{typed(corpus)} with a count table: {paths[0]} was counted under its own "
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

    spent_joules: float | None = _option(
        None, None, "Energy spent, in joules; needs --spent-source.", metavar="JOULES"
    )
    spent_source: str | None = _option(
        None,
        None,
        "Source of that figure: nvml, rapl, megatron-log, codecarbon, gpu-hours or stated.",
        metavar="NAME",
    )

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
