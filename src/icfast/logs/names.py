"""Names that loggers give to columns and tags.

Names are compared folded, without case, blanks and punctuation: ``train/loss``, ``Train Loss`` and
``train-loss`` are one name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from icfast.columns import folded

_LOSS = (
    r"(?:(?:lm|ce|crossentropy|nll|xent|languagemodel(?:l?ing)?)?loss"
    r"|(?:language)?crossentropy(?:loss)?|nll)"
)
_TRAIN_SET = r"(?:training|train|tr)"
_EVALUATION_SET = (
    r"(?:validation|valid|val|evaluation|eval|testing|test|development|dev|heldout|holdout)"
)
_FOLDER = r"(?:metrics|scalars|logs?|learning|perf)?"
_UNIT = r"(?:nats?(?:pertoken)?|pertoken(?:nats)?)?"

#: Known names of a role, folded.
Role = re.Pattern[str]

TRAIN: Role = re.compile(
    rf"{_FOLDER}{_TRAIN_SET}?{_LOSS}{_TRAIN_SET}?{_UNIT}(?:step)?(?:total)?"
    r"|lossmetricsglobalavgloss"
)
#: Losses that are means over an epoch.
TRAIN_EPOCH: Role = re.compile(rf"{_FOLDER}{_TRAIN_SET}?(?:epoch{_LOSS}|{_LOSS}{_UNIT}epoch)")
EVALUATION: Role = re.compile(
    rf"{_FOLDER}{_EVALUATION_SET}(?:metrics)?(?:globalavg)?{_LOSS}{_UNIT}(?:step|epoch|mean|avg)?"
    rf"|{_FOLDER}{_LOSS}{_EVALUATION_SET}{_UNIT}(?:total)?"
)
STEP: Role = re.compile(
    r"(?:train(?:er|ing)?)?(?:global|optim(?:izer)?|current)?"
    r"(?:iterationstep|steps?|iterations?|iters?|updates?|numupdates|batch(?:idx|index|num))(?:num(?:ber)?|idx|index)?"
)
TOKENS: Role = re.compile(
    r"(?:train(?:er|ing)?|throughput|perf|optim|counters?)?"
    r"(?:total|num|n|global|consumed|all|cumulative)*"
    r"(?:input|train(?:ed|ing)?|processed)?tokens?(?:seen|consumed|processed|trained|total|sofar)*"
)
SEQUENCES: Role = re.compile(r"consumed(?:train)?(?:samples|sequences)")
RATE: Role = re.compile(
    r"(?:train(?:ing)?|optim(?:izer)?)?(?:lr|learningrate)(?:train|group0|pggroup0|pg1|adamw?)?"
)
EPOCH: Role = re.compile(r"(?:train(?:er|ing)?)?(?:current)?(?:epochs?|nepoch)(?:num(?:ber)?|idx)?")
JOULES: Role = re.compile(r"(?:energy)?joules")

#: Column that tells rows of training from rows of evaluation, and its words for both.
SPLIT: Role = re.compile(r"(?:data|log)?(?:split|phase|type|stage|mode|subset|set|partition|kind)")
TRAIN_WORD: Role = re.compile(_TRAIN_SET)
EVALUATION_WORD: Role = re.compile(_EVALUATION_SET + "(?:set|split)?")

#: Names of columns that name a run.
RUN: Role = re.compile(
    r"(?:wandb|mlflow)?(?:runs?|experiments?|exp|trials?|jobs?|models?|config|variant|group|task)?"
    r"(?:id|uuid|name|hash|key|label|index|idx)?|seed|rank|tag|metric|variable|version"
)

_LOSS_WORD = re.compile(r"loss|nll|crossentropy|xent|^(?:train)?ce(?:train)?$|objective")
_EVALUATION_PART = re.compile(r"(?<!inter)val(?!ue)|(?<!la)test|dev(?!ice)|heldout|holdout")
_OTHER_LOSS = re.compile(r"lossscale|lossscaling")
_MEASURED = re.compile(
    r"time|date|timestamp|wall|clock|elapsed|duration|remaining|second|hour|eta|speed|throughput"
    r"|persec|tps|flops|mfu|memory|mem|norm|grad|acc|ppl|perplexity|bleu|score|loss|^dt|ms$|f1|gpu"
)
_NOT_NATS = re.compile(r"bits|bpb$|bpc$|bpt$|ppl|perplexity|log10|log2|dits")
_SMOOTH = re.compile(r"ema|smooth|moving|running|avg")


def matching(names: Sequence[str], role: Role) -> list[str]:
    """Return the names of a role, in the table's order."""
    return [name for name in names if role.fullmatch(folded(name))]


def is_counter_of_calls(name: str) -> bool:
    """Return whether a column is W&B's count of log() calls, which need not be the step."""
    return name.strip().lower() == "_step"


def could_be_training_loss(name: str) -> bool:
    """Return whether an unknown name may be a training loss: it says loss, or training."""
    key = folded(name)
    if _EVALUATION_PART.search(key) or _OTHER_LOSS.search(key):
        return False
    return bool(_LOSS_WORD.search(key)) or (
        key.startswith("train") and not is_measured(name) and not _is_known(key)
    )


def could_be_evaluation_loss(name: str) -> bool:
    """Return whether an unknown name may be a held-out loss."""
    key = folded(name)
    return bool(_EVALUATION_PART.search(key)) and bool(_LOSS_WORD.search(key))


def is_measured(name: str) -> bool:
    """Return whether a column holds measurements, such as times, which differ from row to row."""
    return bool(_MEASURED.search(folded(name)))


def is_not_in_nats(name: str) -> bool:
    """Return whether a column says by its name that it has another unit than nats.

    >>> is_not_in_nats("loss_bits"), is_not_in_nats("val/ppl"), is_not_in_nats("train_loss")
    (True, True, False)
    """
    return bool(_NOT_NATS.search(folded(name)))


def is_smooth(name: str) -> bool:
    """Return whether a column's name tells of a moving mean; a mean over ranks is not one."""
    key = folded(name)
    return not TRAIN.fullmatch(key) and bool(_SMOOTH.search(key))


def has_role(name: str) -> bool:
    """Return whether a column has a known role, or holds measurements."""
    return _is_known(folded(name)) or is_measured(name)


def _is_known(key: str) -> bool:
    roles = (STEP, TOKENS, SEQUENCES, RATE, EPOCH, JOULES)
    return any(role.fullmatch(key) for role in roles)
