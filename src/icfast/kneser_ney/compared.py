"""Compare a corpus with what a model was fitted on: conventions, and shards by their digests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from icfast.corpus import Corpus
from icfast.files import shown_name
from icfast.kneser_ney.compact import CompactModel
from icfast.kneser_ney.model import NgramModel

#: Conventions of a corpus that change the loss, and how messages name them.
_CONVENTIONS = {
    "eos_id": "end id",
    "boundary": "boundary",
    "cross_documents": "cross_documents",
}


@dataclass(frozen=True)
class Compared:
    """What a corpus has in common with the corpus that a model was fitted on.

    Attributes:
        fitted_shards: names of the shards of the corpus that the model was fitted on.
        warnings: conventions that differ, and whether there are such shards.
    """

    fitted_shards: tuple[str, ...]
    warnings: tuple[str, ...]


def compare(corpus: Corpus, model: NgramModel | CompactModel) -> Compared:
    """Compare a corpus with what a model was fitted on.

    A digest is computed only of shards with as many tokens as one that the model was fitted on.
    """
    fitted = _fitted_shards(corpus, model)
    warnings = _differences(corpus, model)
    if fitted:
        more = f" and {len(fitted) - 1} more" if len(fitted) > 1 else ""
        part = model.source.documents
        what = "" if part == "all" else f" (documents: {part})"
        warnings.append(
            f"the model was fitted on {len(fitted)} of the {len(corpus.shards)} shards that are "
            f"scored{what}: {fitted[0]}{more}. Their loss is not a held-out loss. Score other "
            "shards."
        )
    return Compared(tuple(fitted), tuple(warnings))


def _fitted_shards(corpus: Corpus, model: NgramModel | CompactModel) -> list[str]:
    digests: dict[int, set[str]] = {}
    for record in model.source.shards:
        digests.setdefault(record.tokens, set()).add(record.sha256)
    return [
        shown_name(shard.path)
        for shard in corpus.shards
        if (known := digests.get(len(shard.tokens))) and shard.digest() in known
    ]


def _differences(corpus: Corpus, model: NgramModel | CompactModel) -> list[str]:
    """Return a warning for each convention in which the corpus and the model differ."""
    names = list(_CONVENTIONS)
    if corpus.eos_id is None or model.source.eos_id is None:
        names.remove("boundary")  # it has no meaning without an end id
    return [
        f"the corpus is read {_shown(name, mine)}, but the model was fitted {_shown(name, its)}, "
        f"so the loss mixes two conventions. Pass {_option(name, its)}."
        for name in names
        if (mine := getattr(corpus, name)) != (its := getattr(model.source, name))
    ]


def _shown(name: str, value: Any) -> str:
    words = _CONVENTIONS[name]
    return f"without an {words}" if value is None else f"with {words} {value}"


def _option(name: str, value: Any) -> str:
    """Return the option that gives the corpus the model's convention."""
    option = "--" + name.replace("_", "-")
    if value is None or value is False:
        return f"no {option}"
    return option if value is True else f"{option} {value}"
