"""What `icfast laws run` reports of a training run, beside what it was computed from."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from icfast.files import write_json
from icfast.laws.training_result import TrainingRun
from icfast.logs import log_files
from icfast.pipeline.entropy import SCHEMA_VERSION
from icfast.pipeline.measure import make_folder
from icfast.pipeline.provenance import file_record, versions

#: Of every figure whose name does not end in its unit.
_UNITS = {
    "eta": "bits saved per bit stored",
    "eta_absorbed": "bits absorbed per bit stored",
    "absorbed_bits_per_param": "bits per parameter",
    "exponent": "of D, no unit",
}


def training_result(run: TrainingRun, log: Path, temperature_kelvin: float) -> dict[str, Any]:
    """Every figure of a run, with its conventions, the log's files and their hashes."""
    return {
        "schema_version": SCHEMA_VERSION,
        "icfast_version": versions()["icfast"],
        "inputs": [file_record(path) for path in log_files(log)],
        "convention": _conventions(run, temperature_kelvin),
        "units": _UNITS,
        **asdict(run),
    }


def write_result(result: dict[str, Any], output: Path) -> None:
    """Write result.json into a folder, made where it is missing.

    Raises:
        OptionError: the folder can't be written.
    """
    make_folder(output)
    write_json(output / "result.json", result)


def _conventions(run: TrainingRun, temperature_kelvin: float) -> dict[str, str]:
    final = {
        "given": "D times the loss given, of a pass over the tokens trained on",
        "evaluation": "D times the log's last evaluation, of the same set",
        "last losses": "D times the mean of the last hundredth of the losses",
    }
    return {
        "predicted_set": "the unique tokens trained on, each predicted once, in the log's order",
        "online": f"B: sum of the {run.curve} losses of fresh tokens; tokens between two rows at "
        "the loss before them (left) and after them (right), B their mean",
        "final": f"C: {final[run.final_loss_source]}",
        "baseline": "none given" if run.baseline is None else run.baseline,
        "loss": "the log's nats per token, divided by ln 2",
        "intervals": "95 %, of 300 bootstraps",
        "energy": f"Landauer's floor at {temperature_kelvin:g} K of the absorbed bits",
    }
