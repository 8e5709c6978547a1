"""From rows to a `TrainingLog`: tokens of each row, what was run twice, what to tell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from icfast.errors import LogError, OptionError
from icfast.logs.log import Floats, Integers, TrainingLog
from icfast.logs.options import LogOptions
from icfast.logs.rows import Parsed, Row
from icfast.logs.scatter import is_smoothed


def assemble(name: str, parsed: Parsed, options: LogOptions) -> TrainingLog:
    """The log of these rows.

    Raises:
        LogError: no rows, or tokens that do not grow.
        OptionError: the log lacks the tokens of a step, or of a sequence, and nobody gave them.
    """
    train, again, repeated = _once(parsed.train)
    evaluations = _once(parsed.evaluations)[0]
    if not train and not evaluations:
        raise LogError(f"this {name} log has no losses in it")
    offset = int(parsed.counts_from_zero)
    ends = np.array([_tokens(row, row.step + offset, options) for row in train], np.int64)
    _check_growing(ends, train)
    steps = np.array([row.step for row in train], np.int64)
    starts = _starts(ends, steps, parsed.is_mean, options.tokens_per_step)
    losses = np.array([row.loss_nats for row in train], np.float64)
    at = _evaluated_at(evaluations, steps + offset, ends, options)
    joules, joules_label = _joules(train, steps, options.gpus)
    epoch = _epochs(train, name)
    every = int(np.median(np.diff(steps))) if len(steps) > 1 else None
    labels = [*parsed.labels, *_span_labels(starts, ends, every, parsed.is_mean)]
    labels += [f"resumed: {again} rows of steps that were run again are left out"] * bool(again)
    labels += [f"repeated: {repeated} rows of steps logged before, as by several ranks"] * bool(
        repeated
    )
    labels += [] if joules_label is None else [joules_label]
    if epoch is not None and epoch[-1] > 1 + 1e-9:
        labels.append(f"several epochs: {epoch[-1]:.4g} passes; only the first is code length")
    if is_smoothed(losses):
        labels.append(
            "smoothed, or free of noise: successive losses scatter less than batches would; "
            "a moving mean lags behind, so code lengths come out too long"
        )
    return TrainingLog(
        format=name,
        steps=steps,
        start_tokens=starts,
        end_tokens=ends,
        train_loss_nats=losses,
        eval_steps=np.array([row.step for row in evaluations], np.int64),
        eval_tokens=at,
        eval_loss_nats=np.array([row.loss_nats for row in evaluations], np.float64),
        learning_rate=_column([row.learning_rate for row in train]),
        epoch=epoch,
        energy_joules=joules,
        every_steps=every,
        labels=tuple(labels),
    )


def _once(rows: Sequence[Row]) -> tuple[list[Row], int, int]:
    """Each step once, as the run that went on saw it: after a restart the later rows hold.

    Beside them how many were run again, and how many say the step of the row before again.
    """
    kept: list[Row] = []
    again = repeated = 0
    for row in rows:
        if kept and kept[-1].step == row.step:
            kept.pop()
            repeated += 1
        while kept and kept[-1].step >= row.step:
            kept.pop()
            again += 1
        kept.append(row)
    return kept, again, repeated


def _tokens(row: Row, steps_done: int, options: LogOptions) -> int:
    if row.tokens is not None:
        return row.tokens
    if row.sequences is not None:
        if options.tokens_per_sequence is not None:
            return row.sequences * options.tokens_per_sequence
        if options.tokens_per_step is None:
            raise OptionError(
                "the log counts sequences: give the tokens of one (--tokens-per-sequence)"
            )
    if options.tokens_per_step is None:
        raise OptionError(
            "the log does not say how many tokens a step has: give them (--tokens-per-step: "
            "sequence length x batch x gradient accumulation x data-parallel ranks)"
        )
    return steps_done * options.tokens_per_step


def _check_growing(ends: Integers, rows: Sequence[Row]) -> None:
    before = np.concatenate([[0], ends[:-1]])
    for i in np.flatnonzero(ends <= before)[:1]:
        raise LogError(
            f"line {rows[i].line}: {ends[i]} tokens seen at step {rows[i].step}, "
            f"{before[i]} before it; tokens must grow with the steps"
        )


def _starts(
    ends: Integers, steps: Integers, is_mean: bool, tokens_per_step: int | None
) -> Integers:
    """Where each row's tokens begin: at the row before for means, one step back for batches."""
    if not len(ends):
        return ends
    before: Integers = np.concatenate([[0], ends[:-1]])
    if is_mean:
        # What came before a log that begins late is not in its first mean.
        usual = ends[1] - ends[0] if len(ends) > 1 else ends[0]
        before[0] = max(0, ends[0] - usual)
        return before
    if tokens_per_step is None:
        grown = np.diff(ends, prepend=0) / np.maximum(np.diff(steps, prepend=0), 1)
        tokens_per_step = int(np.median(grown[1:])) if len(ends) > 1 else int(ends[0])
    starts: Integers = np.maximum(before, ends - np.int64(tokens_per_step))
    return starts


def _evaluated_at(
    rows: Sequence[Row], steps_done: Integers, ends: Integers, options: LogOptions
) -> Integers:
    """Tokens seen before each evaluation, between training rows where the log counts otherwise."""
    own = len(ends) > 0 and options.tokens_per_step is None
    found = []
    for row in rows:
        if own and row.tokens is None:
            known = np.interp(row.step, np.r_[0, steps_done], np.r_[0, ends])
            found.append(round(float(known)))
        else:
            found.append(_tokens(row, row.step, options))
    return np.array(found, np.int64)


def _joules(
    rows: Sequence[Row], steps: Integers, gpus: int | None
) -> tuple[Floats | None, str | None]:
    if (summed := _column([row.joules for row in rows])) is not None:
        return summed, None
    rates = _column([row.joules_per_step_per_gpu for row in rows])
    if rates is None:
        return None, None
    if gpus is None:
        return None, "energy is logged per GPU and not summed: the number of GPUs is missing"
    first = steps[1] - steps[0] if len(steps) > 1 else steps[0]
    taken = np.diff(steps, prepend=max(0, steps[0] - first))
    return np.cumsum(rates * taken * gpus), None


def _epochs(rows: Sequence[Row], name: str) -> Floats | None:
    """Passes completed at each row; a table's whole numbers name the pass a row lies in."""
    passes = _column([row.epoch for row in rows])
    if passes is None or name == "hf" or not np.all(passes == np.floor(passes)):
        return passes
    if np.any(np.diff(passes) < 0):
        raise LogError("the column of epochs falls; passes over the data can only be added")
    names, index, sizes = np.unique(passes, return_inverse=True, return_counts=True)
    if len(names) > 1:
        # The last may have been cut short.
        sizes[-1] = max(sizes[-1], sizes[-2])
    inside = np.concatenate([np.arange(1, n + 1) for n in np.bincount(index)])
    return np.asarray(index + inside / sizes[index], np.float64)


def _column(values: Sequence[float | None]) -> Floats | None:
    """An array where every row says it, else None."""
    known = [value for value in values if value is not None]
    return np.array(known, np.float64) if known and len(known) == len(values) else None


def _span_labels(starts: Integers, ends: Integers, every: int | None, is_mean: bool) -> list[str]:
    if not len(ends):
        return ["no training losses: evaluations only"]
    labels = []
    if starts[0] > 0:
        labels.append(f"begins late: nothing is logged of the first {starts[0]} tokens")
    missing = int((starts[1:] - ends[:-1]).sum())
    if is_mean and every is not None and every > 1:
        labels.append(f"means over {every} steps, as the format has them")
    elif missing:
        share = missing / (ends[-1] - starts[0])
        labels.append(
            f"sparse: every {every} steps, so {100 * share:.1f} % of the tokens lie between rows"
        )
    return labels
