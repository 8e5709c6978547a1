"""Corollary 4.1: what a model pays before it has learned anything."""

from __future__ import annotations

import math

from icfast.errors import OptionError


def expected_initial_loss_nats(vocab_size: int, logit_variance: float) -> float:
    """Loss of a freshly initialised model: ln V + sigma^2 / 2, in nats per token.

    Its logits are independent of the target and, over ids, about normal with variance sigma^2:
    E[logsumexp] - E[x] = ln V + sigma^2 / 2 for V >> exp(sigma^2). No corpus stands in the
    formula: the initial loss measures the tokenizer and the initialisation, so reading it as the
    corpus's entropy (arXiv 2411.00660, corollary 4.1) finds the same for noise and for prose.
    Report it beside the counted unigram entropy, never instead.

    Args:
        vocab_size: V, ids the model chooses between.
        logit_variance: sigma^2, in nats squared; 0.02^2 * 768 = 0.3072 for GPT-2, whose output
            embedding has a standard deviation of 0.02 and meets 768 normalised features.

    Raises:
        OptionError: V is below 1, or the variance negative or not finite.

    >>> round(expected_initial_loss_nats(50257, 0.02**2 * 768), 4)
    10.9785
    """
    if vocab_size < 1:
        raise OptionError(f"vocab_size must be at least 1, found {vocab_size}")
    if not (math.isfinite(logit_variance) and logit_variance >= 0):
        raise OptionError(f"logit_variance must be finite and not negative, found {logit_variance}")
    return math.log(vocab_size) + logit_variance / 2
