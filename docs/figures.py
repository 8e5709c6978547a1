"""Draw the figures of these pages again: python docs/figures.py

From the log of examples/train_tiny.py that is committed beside it; needs the extra `report`.
"""

import json
from pathlib import Path

from icfast.laws import training_run
from icfast.logs import read_training_log
from icfast.report import run_charts
from icfast.report.svg import standalone

FIGURES = {
    "run-loss": run_charts.loss_chart,
    "run-fit": run_charts.fit_chart,
    "run-eta": run_charts.eta_chart,
}

here = Path(__file__).parent
log = here.parent / "examples" / "train_tiny.csv"
told = json.loads(log.with_suffix(".json").read_text())["laws"]
run = training_run(read_training_log(log), **told)
for name, draw in FIGURES.items():
    (here / "figures" / f"{name}.svg").write_text(standalone(draw(run)), encoding="utf-8")
