"""The progress bar: stage, share, rate, time spent and time left."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar
from rich.text import Text

from icfast.parallel import Progress
from icfast.units import printable


class _RateColumn(ProgressColumn):
    """Units per second over the last half minute, such as "12.3 M tokens/s"."""

    def render(self, task: Task) -> Text:
        return Text(_rate(task.speed, task.fields["unit"]))


def new_bar(console: Console, **options: Any) -> Bar:
    """Return a bar that disappears when it is done; `options` are those of rich."""
    return Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        _RateColumn(),
        TimeElapsedColumn(),
        TextColumn("elapsed"),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=console,
        transient=True,
        **options,
    )


def report_to(bar: Bar) -> Progress:
    """Return a Progress that shows its reports on a bar; each stage begins at zero."""
    # Until the first report the bar only pulses.
    task = bar.add_task("working", total=None, unit="tokens")
    current = ""

    def report(stage: str, done: int, total: int, unit: str = "tokens") -> None:
        nonlocal current
        if stage != current:
            bar.reset(task, description=printable(stage), total=total, unit=unit)
            current = stage
        bar.update(task, completed=done, total=total)

    return report


def _rate(speed: float | None, unit: str) -> str:
    """Return a rate with three digits; nothing while it is unknown."""
    if not speed:
        return ""
    for scale, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if speed >= scale:
            return f"{speed / scale:.3g} {prefix} {unit}/s"
    return f"{speed:.3g} {unit}/s"
