"""Compute the probability and the backoff of every n-gram from the counts of a model."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np

from icfast.backends.contract import Kernels
from icfast.backends.models import Bigrams, ContextScratch, Weights
from icfast.errors import check
from icfast.kneser_ney.contexts import ForEach, for_each_range
from icfast.kneser_ney.model import NgramModel

#: Weights of models by backend. They live as long as the model, so scoring another corpus reuses
#: them.
_weighed: WeakKeyDictionary[NgramModel, dict[Kernels, Weights]] = WeakKeyDictionary()


def weights_bytes(model: NgramModel) -> int:
    """Return the bytes that :func:`weigh` allocates and keeps."""
    return 8 * (len(model.trie.counts) + len(model.trie.child) - 1)


def weigh(model: NgramModel, kernels: Kernels, for_each: ForEach) -> Weights:
    """Return the order-N model as probabilities f64[n-grams] and backoffs f64[contexts].

    Raises:
        ArtefactError: the model's trie lacks a context.
    """
    by_backend = _weighed.setdefault(model, {})
    if kernels not in by_backend:
        by_backend[kernels] = _weigh(model, kernels, for_each)
    return by_backend[kernels]


def _weigh(model: NgramModel, kernels: Kernels, for_each: ForEach) -> Weights:
    trie = model.trie
    probabilities = np.empty(len(trie.counts))
    backoffs = np.empty(len(trie.child) - 1)

    def weigh_range(bigrams: Bigrams, low: int, high: int, scratch: ContextScratch) -> None:
        status = kernels.weigh_ngrams(
            trie,
            bigrams,
            model.discount_table,
            model.uniform,
            low,
            high,
            scratch,
            probabilities,
            backoffs,
        )
        check(status, model.path)

    for_each_range(trie, weigh_range, for_each)
    return Weights(probabilities, backoffs)
