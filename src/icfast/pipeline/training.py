"""Result of `icfast laws run`: the figures of a training run, with their conventions and inputs."""

from __future__ import annotations

from pathlib import Path

from icfast.laws.training_result import TrainingRun
from icfast.logs import log_files
from icfast.pipeline.provenance import input_file, run_manifest, versions
from icfast.pipeline.records.base import SCHEMA_VERSION, Result
from icfast.pipeline.records.training import TrainingResult
from icfast.pipeline.results import Page, ResultFolder

#: Units of figures whose name does not end in one.
_UNITS = {
    "eta": "bits saved per bit stored",
    "eta_absorbed": "bits absorbed per bit stored",
    "absorbed_bits_per_param": "bits per parameter",
    "exponent": "of D, no unit",
}

_FINAL = {
    "given": "D times the loss given, of a pass over the tokens trained on",
    "evaluation": "D times the log's last evaluation, of the same set",
    "last losses": "D times the mean of the last hundredth of the losses",
}


def training_result(run: TrainingRun, log: Path, temperature_kelvin: float) -> TrainingResult:
    """Return the figures of a run with their conventions and the hashes of the log's files."""
    return TrainingResult(
        schema_version=SCHEMA_VERSION,
        icfast_version=versions()["icfast"],
        inputs=tuple(input_file(path) for path in log_files(log)),
        convention=_conventions(run, temperature_kelvin),
        units=_UNITS,
        run=run,
    )


def write_result(result: Result, output: ResultFolder, page: Page) -> bool:
    """Write a result, its report and a manifest; return whether there is a report.

    Raises:
        OptionError, OutputError: the folder is refused, see `ResultFolder.check`.
    """
    with output.open() as new:
        drawn = page(result)
        new.write(result, run_manifest(result), drawn)
    return drawn is not None


def _conventions(run: TrainingRun, temperature_kelvin: float) -> dict[str, str]:
    return {
        "predicted_set": "the unique tokens trained on, each predicted once, in the log's order",
        "online": f"B: sum of the {run.curve} losses of fresh tokens; tokens between two rows at "
        "the loss before them (left) and after them (right), B their mean",
        "final": "C: not known"
        if run.final_loss_source is None
        else f"C: {_FINAL[run.final_loss_source]}",
        "baseline": "none given" if run.baseline is None else run.baseline,
        "loss": "the log's nats per token, divided by ln 2",
        "intervals": "95 %, of 300 bootstraps",
        "energy": f"Landauer's floor at {temperature_kelvin:g} K of the absorbed bits",
    }
