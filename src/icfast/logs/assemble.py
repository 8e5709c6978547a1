"""Assembly of a `TrainingLog` from rows: tokens of each row, repeated steps, labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from icfast.errors import LogError, OptionError
from icfast.logs.log import Floats, Integers, TrainingLog
from icfast.logs.options import LogOptions
from icfast.logs.passes import passes
from icfast.logs.rows import Parsed, Row
from icfast.logs.smoothing import is_smoothed

#: Largest difference between the tokens per step that are counted and stated, as a share.
_TOLERANCE = 0.01


def assemble(name: str, parsed: Parsed, options: LogOptions) -> TrainingLog:
    """Build the log from its rows.

    Args:
        name: name of the format.
        parsed: rows of the log.
        options: sizes that the log does not state.

    Raises:
        LogError: there are no rows, or tokens do not increase.
        OptionError: the log lacks the tokens per step or per sequence, and the options do too.
    """
    train, again, repeated = _last_of_each_step(parsed.train)
    evaluations = _last_of_each_step(parsed.evaluations)[0]
    if not train and not evaluations:
        raise LogError(f"this {name} log contains no losses")
    offset = int(parsed.counts_from_zero)
    ends = np.array([_tokens(row, row.step + offset, options) for row in train], np.int64)
    _check_growing(ends, train)
    steps = np.array([row.step for row in train], np.int64)
    starts = _starts(ends, steps, parsed.is_mean, options.tokens_per_step)
    losses = np.array([row.loss_nats for row in train], np.float64)
    # Logs that begin at step 0 evaluate before the step; the others, as Lightning, after it.
    after = offset if len(steps) and steps[0] else 0
    at = _tokens_before_evaluations(evaluations, after, steps + offset, ends, options)
    joules, joules_label = _joules(train, steps, options.gpus)
    _check_tokens_per_step(train, ends, steps, parsed, options)
    has_gaps = bool((starts[1:] > ends[:-1]).any())
    epochs = [row.epoch for row in train]
    found = passes(epochs, ends, parsed.has_epochs_completed, has_gaps)
    epoch = found.epoch
    every = int(np.median(np.diff(steps))) if len(steps) > 1 else None
    labels = [*parsed.labels, *found.labels, *_span_labels(starts, ends, every, parsed.is_mean)]
    labels += [f"resumed: {again} rows of steps that ran again later are ignored"] * bool(again)
    labels += [f"repeated: {repeated} rows with the step of the row before are ignored"] * bool(
        repeated
    )
    labels += [] if joules_label is None else [joules_label]
    if epoch is not None and epoch[-1] > 1 + 1e-9:
        labels.append(f"several epochs: {epoch[-1]:.4g}; only the first counts as code length")
    if is_smoothed(losses):
        labels.append(
            "smoothed, or free of noise: successive losses vary less than losses of batches. A "
            "moving mean lags, so code lengths come out too long"
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
        pass_reason=found.reason,
    )


def _last_of_each_step(rows: Sequence[Row]) -> tuple[list[Row], int, int]:
    """Return the last row of each step, and the numbers of rows rerun and repeated.

    After a restart the later rows count. A row with the step of the row before is a repetition.
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
            raise OptionError("the log counts sequences, not tokens: pass --tokens-per-sequence")
    if options.tokens_per_step is None:
        raise OptionError(
            "the log does not count tokens: pass --tokens-per-step (sequence length x batch x "
            "gradient accumulation x data-parallel ranks)"
        )
    return steps_done * options.tokens_per_step


def _check_growing(ends: Integers, rows: Sequence[Row]) -> None:
    before = np.concatenate([[0], ends[:-1]])
    for i in np.flatnonzero(ends <= before)[:1]:
        raise LogError(
            f"line {rows[i].line}: tokens must increase with the steps, found {ends[i]} at step "
            f"{rows[i].step} and {before[i]} before it. If the column holds the tokens of each "
            "step, pass --tokens-column none and --tokens-per-step"
        )


def _check_tokens_per_step(
    rows: Sequence[Row], ends: Integers, steps: Integers, parsed: Parsed, options: LogOptions
) -> None:
    """Raise if the log counts other tokens than the user states."""
    stated = options.tokens_per_step
    counted = len(rows) > 1 and rows[-1].tokens is not None and parsed.has_steps
    if stated is None or not counted or options.tokens_column is not None:
        return
    found = float(np.median(np.diff(ends) / np.diff(steps)))
    if abs(found - stated) > _TOLERANCE * stated:
        raise OptionError(
            f"the log counts {found:.6g} tokens in a step, --tokens-per-step states {stated}. "
            "Leave the option out to use the log's count, or pass --tokens-column none to use "
            "--tokens-per-step"
        )


def _starts(
    ends: Integers, steps: Integers, is_mean: bool, tokens_per_step: int | None
) -> Integers:
    """Return the tokens before each row: the row before for means, else one step back."""
    if not len(ends):
        return ends
    before: Integers = np.concatenate([[0], ends[:-1]])
    if is_mean:
        # The first mean of a log that begins late does not reach back to token 0.
        usual = ends[1] - ends[0] if len(ends) > 1 else ends[0]
        before[0] = max(0, ends[0] - usual)
        return before
    if tokens_per_step is None:
        grown = np.diff(ends, prepend=0) / np.maximum(np.diff(steps, prepend=0), 1)
        tokens_per_step = int(np.median(grown[1:])) if len(ends) > 1 else int(ends[0])
    starts: Integers = np.maximum(before, ends - np.int64(tokens_per_step))
    return starts


def _tokens_before_evaluations(
    rows: Sequence[Row], after: int, steps_done: Integers, ends: Integers, options: LogOptions
) -> Integers:
    """Return the tokens before each evaluation, interpolated if only training rows count tokens."""
    own = len(ends) > 0 and options.tokens_per_step is None
    found = []
    for row in rows:
        if own and row.tokens is None:
            known = np.interp(row.step + after, np.r_[0, steps_done], np.r_[0, ends])
            found.append(round(float(known)))
        else:
            found.append(_tokens(row, row.step + after, options))
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
        return None, "energy is logged per GPU and ignored: pass --gpus, the number of GPUs"
    first = steps[1] - steps[0] if len(steps) > 1 else steps[0]
    taken = np.diff(steps, prepend=max(0, steps[0] - first))
    return np.cumsum(rates * taken * gpus), None


def _column(values: Sequence[float | None]) -> Floats | None:
    """Return an array if every row has a value, else None."""
    known = [value for value in values if value is not None]
    return np.array(known, np.float64) if known and len(known) == len(values) else None


def _span_labels(starts: Integers, ends: Integers, every: int | None, is_mean: bool) -> list[str]:
    if not len(ends):
        return ["no training losses: evaluations only"]
    labels = []
    spacing = max(np.median(np.diff(ends)), ends[1] - ends[0]) if len(ends) > 1 else 1
    if starts[0] >= spacing:
        labels.append(f"begins late: the first {starts[0]} tokens are not logged")
    missing = int((starts[1:] - ends[:-1]).sum())
    if is_mean and every is not None and every > 1:
        labels.append(f"means over {every} steps, as usual in this format")
    elif missing:
        share = missing / (ends[-1] - starts[0])
        labels.append(
            f"sparse: every {every} steps, so {100 * share:.1f} % of the tokens are in gaps"
        )
    return labels
