"""Choice of the columns of a log; where two readings are possible, the user is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from icfast.columns import folded, named
from icfast.errors import LogError, OptionError
from icfast.logs import names as known
from icfast.logs.options import LogOptions

#: Rows of a table: line number and fields by column.
Numbered = list[tuple[int, dict[str, Any]]]

#: Value of an option that tells icfast to ignore the columns of a role.
NONE = "none"


@dataclass(frozen=True)
class Columns:
    """Columns of a log by role, None for a role without a column; `labels` say what was chosen."""

    train: str | None
    evaluation: str | None
    step: str | None
    tokens: str | None
    sequences: str | None
    rate: str | None
    epoch: str | None
    joules: str | None
    is_mean: bool = False
    labels: tuple[str, ...] = ()

    @property
    def roles(self) -> frozenset[str]:
        """Names of all chosen columns."""
        every = (self.train, self.evaluation, self.step, self.tokens, self.sequences)
        more = (self.rate, self.epoch, self.joules)
        return frozenset(name for name in (*every, *more) if name is not None)


def choose(
    rows: Numbered, names: Sequence[str], options: LogOptions, what: str = "column"
) -> Columns:
    """Return the columns of a log.

    Args:
        rows: rows of the log; columns without a value in any of them do not count.
        names: columns of the log.
        options: columns that the user names.
        what: word for a column in messages.

    Raises:
        LogError: there is no column of losses.
        OptionError: several columns could have one role, or a column does not exist.
    """
    table = Table.of(rows, names, what)
    labels: list[str] = []
    evaluation = table.evaluation(options.evaluation_column, labels)
    train = table.train(options.loss_column, evaluation, labels)
    if train is not None and train == evaluation:
        train = None
    if train is None and evaluation is None:
        listed = ", ".join(table.names or table.every) or "(there are none)"
        raise LogError(
            f"no loss among the {what}s {listed}; expected a name such as loss, train_loss or "
            f"val_loss. Name the {what} of the training losses with --loss-column"
        )
    losses = [name for name in (train, evaluation) if name is not None]
    _require_nats(losses, what)
    if train is not None and known.is_smooth(train):
        labels.append(f"smoothed: by its name, {train!r} is a moving mean")
    tokens = table.tokens(options.tokens_column, labels)
    step = table.step(options.step_column, tokens, labels)
    epoch = table.one("epochs", known.EPOCH, options.epoch_column, "--epoch-column")
    is_epoch = train is not None and known.TRAIN_EPOCH.fullmatch(folded(train)) is not None
    return Columns(
        train=train,
        evaluation=evaluation,
        step=step,
        tokens=tokens,
        sequences=table.optional("sequences", known.SEQUENCES, labels),
        rate=table.optional("learning rates", known.RATE, labels),
        epoch=epoch,
        joules=table.optional("energy", known.JOULES, labels),
        is_mean=is_epoch or (step is not None and step == epoch),
        labels=tuple(labels),
    )


def _require_nats(losses: Sequence[str], what: str) -> None:
    for name in losses:
        if known.is_not_in_nats(name):
            raise OptionError(
                f"the {what} {name!r} is by its name not in nats per token. Convert it to nats, "
                "and rename it"
            )


@dataclass(frozen=True)
class Table:
    """Rows of a table, and questions about its columns.

    Attributes:
        rows: rows of the table.
        names: columns that have a value in some row.
        every: all columns.
        what: word for a column in messages.
    """

    rows: Numbered
    names: list[str]
    every: list[str]
    what: str

    @classmethod
    def of(cls, rows: Numbered, names: Sequence[str], what: str = "column") -> Table:
        """Return the table of some rows."""
        filled = {name for _, row in rows for name, value in row.items() if value not in (None, "")}
        return cls(rows, [name for name in names if name in filled], list(names), what)

    def given(self, wanted: str) -> str:
        """Return the column that an option names.

        Raises:
            OptionError: there is no such column, or several names fold to it.
        """
        found = named(self.every, wanted)
        if not found:
            raise OptionError(
                f"there is no {self.what} {wanted!r}; found {', '.join(self.every) or 'none'}"
            )
        if len(found) > 1:
            listed = ", ".join(map(repr, found))
            raise OptionError(f"several {self.what}s are called {wanted!r}: {listed}")
        return found[0]

    def one(self, role: str, pattern: known.Role, wanted: str | None, option: str) -> str | None:
        """Return the only column of a role, or the one that the user names."""
        if wanted is not None:
            return None if wanted == NONE else self.given(wanted)
        found = self.different(known.matching(self.names, pattern))
        if len(found) > 1:
            self.ask(f"several {self.what}s could hold the {role}", found, option)
        return found[0] if found else None

    def optional(self, role: str, pattern: known.Role, labels: list[str]) -> str | None:
        """Return the only column of a role that no sum depends on; several are ignored."""
        found = self.different(known.matching(self.names, pattern))
        if len(found) > 1:
            labels.append(f"{role} are ignored: the {self.what}s {_listed(found)} differ")
        return found[0] if len(found) == 1 else None

    def train(self, wanted: str | None, evaluation: str | None, labels: list[str]) -> str | None:
        """Return the column of the training losses, None if there is none."""
        if wanted is not None:
            return self.given(wanted)
        found = self.different(known.matching(self.names, known.TRAIN))
        means = known.matching(self.names, known.TRAIN_EPOCH)
        if len(found) == 1 and means:
            labels.append(f"training losses are of {found[0]!r}, not the means {_listed(means)}")
        found = found or self.different(means)
        copies = [name for name in self.names if found and _is_copy(name, found[0])]
        if len(found) > 1 or copies:
            several = f"several {self.what}s could be the training loss"
            self.ask(several, [*found, *copies], "--loss-column")
        if found:
            return found[0]
        unknown = [
            name
            for name in self.names
            if name != evaluation and known.could_be_training_loss(name) and self.is_numeric(name)
        ]
        if unknown:
            self.ask(
                f"no {self.what} has a usual name of the training loss, but these could be it",
                unknown,
                "--loss-column"
                + (f", or pass --loss-column {evaluation!r} to use only that" if evaluation else "")
                + "; losses are in nats",
            )
        return None

    def evaluation(self, wanted: str | None, labels: list[str]) -> str | None:
        """Return the column of the evaluations, None if there is none."""
        if wanted is not None:
            return None if wanted == NONE else self.given(wanted)
        found = self.different(known.matching(self.names, known.EVALUATION))
        if not found:
            loose = [name for name in self.names if known.could_be_evaluation_loss(name)]
            if loose:
                labels.append(
                    f"evaluations are ignored: {_listed(loose)}. Choose with --evaluation-column"
                )
            return None
        # Lightning writes the mean of each batch beside the mean of the set.
        means = {folded(name).removesuffix("epoch") for name in found if _is_of_epoch(name)}
        of_sets = [name for name in found if folded(name).removesuffix("step") not in means]
        validation = [name for name in of_sets if "test" not in folded(name)]
        chosen = (validation or of_sets)[0]
        trained = known.matching(self.names, known.TRAIN)
        if len(found) > 1 and (len(validation) != 1 or not trained):
            several = f"several {self.what}s could be the evaluation"
            self.ask(several, found, "--evaluation-column")
        if len(found) > 1:
            others = _listed([name for name in found if name != chosen])
            labels.append(f"evaluations are of {chosen!r}, not of {others}")
        return chosen

    def tokens(self, wanted: str | None, labels: list[str]) -> str | None:
        """Return the column that counts the tokens of all ranks, None if there is none."""
        if wanted is not None:
            return None if wanted == NONE else self.given(wanted)
        counted = [n for n in known.matching(self.names, known.TOKENS) if self.last(n)]
        found = self.different(counted)
        if len(found) > 1:
            found = [name for name in found if self.grows(name)] or found
        if len(found) < 2:
            return found[0] if found else None
        most = max(found, key=self.last)
        others = [name for name in found if name != most]
        ranks = [self.ratio(most, name) for name in others]
        named_total = any(w in folded(most) for w in ("total", "global", "all", "consumed"))
        if None in ranks or not named_total:
            self.ask(f"several {self.what}s could count the tokens", found, "--tokens-column")
        labels.append(
            f"tokens are of {most!r}, which is {', '.join(map(str, ranks))} times "
            f"{_listed(others)}, the tokens of one rank"
        )
        return most

    def step(self, wanted: str | None, tokens: str | None, labels: list[str]) -> str | None:
        """Return the column of the steps, None if there is none."""
        if wanted is not None:
            return self.given(wanted)
        every = known.matching(self.names, known.STEP)
        found = [name for name in every if not known.is_counter_of_calls(name)]
        if not found and every:
            labels.append(
                "W&B's Step counts calls of log(); it is the optimiser step if each step logs once"
            )
            return every[0]
        if len(found) > 1:
            found = self.different(found, near=True)
        if len(found) > 1 and tokens is None:
            self.ask(f"several {self.what}s could be the step", found, "--step-column")
        return min(found, key=lambda name: "step" not in folded(name)) if found else None

    def ask(self, problem: str, found: Sequence[str], option: str) -> None:
        """Raise an OptionError that lists the candidates and the option to pass."""
        raise OptionError(f"{problem}: {_listed(found)}. Choose one with {option}")

    def values(self, name: str) -> list[float | None]:
        """Return a column as numbers, None where it is empty or not a number."""
        return [_number(row.get(name)) for _, row in self.rows]

    def is_numeric(self, name: str) -> bool:
        """Return whether some value of a column is a number."""
        return any(value is not None for value in self.values(name))

    def last(self, name: str) -> float:
        """Return the last number of a column."""
        return next((v for v in reversed(self.values(name)) if v is not None), 0.0)

    def grows(self, name: str) -> bool:
        """Return whether a column counts up, but for a few restarts."""
        values = [value for value in self.values(name) if value is not None]
        rises = sum(after > before for before, after in pairwise(values))
        return len(values) < 2 or rises >= 0.9 * (len(values) - 1)

    def ratio(self, more: str, less: str) -> int | None:
        """Return the whole number that one column is of another in every row, None without one."""
        pairs = self.pairs(more, less)
        ratios = {round(m / n, 9) for m, n in pairs if n}
        found = ratios.pop() if len(ratios) == 1 else 0.0
        return int(found) if found >= 2 and found == int(found) else None

    def pairs(self, one: str, other: str) -> list[tuple[float, float]]:
        """Return the values of two columns in the rows that have both."""
        both = zip(self.values(one), self.values(other), strict=True)
        return [(a, b) for a, b in both if a is not None and b is not None]

    def different(self, found: Sequence[str], near: bool = False) -> list[str]:
        """Return the columns without those that equal a fuller one.

        `near`: nor those that differ by a constant of at most 1, as counts from 0 and from 1 do.
        """
        if len(found) < 2:
            return list(found)
        fullest = sorted(found, key=lambda n: -sum(v is not None for v in self.values(n)))
        kept: list[str] = []
        for name in fullest:
            if not any(self._is_same(name, other, near) for other in kept):
                kept.append(name)
        return [name for name in found if name in kept]

    def _is_same(self, one: str, other: str, near: bool) -> bool:
        offsets = {a - b for a, b in self.pairs(one, other)}
        return len(offsets) == 1 and abs(offsets.pop()) <= (1 if near else 0)


def _is_of_epoch(name: str) -> bool:
    return folded(name).endswith("epoch")


def _is_copy(name: str, of: str) -> bool:
    """Return whether pandas made a name from a repeated one, as it makes ``loss.1``."""
    stem, dot, number = name.rpartition(".")
    return bool(dot) and number.isdigit() and stem == of


def _number(value: Any) -> float | None:
    try:
        return float(str(value).strip().replace(",", "")) if value not in (None, "") else None
    except ValueError:
        return None


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))
