"""Loss of a freshly initialised model (arXiv 2411.00660, corollary 4.1)."""

from __future__ import annotations

import math

from icfast.errors import OptionError


def expected_initial_loss_nats(vocab_size: int, logit_variance: float) -> float:
    """Return the loss of a freshly initialised model, ln V + sigma^2 / 2, in nats per token.

    Its logits are independent of the target and, over ids, approximately normal with variance
    sigma^2: E[logsumexp] - E[x] = ln V + sigma^2 / 2 for V >> exp(sigma^2). The formula contains
    no corpus. The initial loss therefore measures the tokenizer and the initialisation: it is the
    same for noise and for prose, and it does not estimate the corpus's entropy (as arXiv
    2411.00660, corollary 4.1, reads it). Report it next to the counted unigram entropy, never
    instead of it.

    Args:
        vocab_size: V, number of ids the model chooses from.
        logit_variance: sigma^2, in nats squared. GPT-2 has 0.02^2 * 768 = 0.3072: the standard
            deviation of its output embedding is 0.02, and it multiplies 768 normalised features.

    Raises:
        OptionError: V is below 1, or the variance is negative or not finite.

    >>> round(expected_initial_loss_nats(50257, 0.02**2 * 768), 4)
    10.9785
    """
    if vocab_size < 1:
        raise OptionError(f"vocab_size must be at least 1, found {vocab_size}")
    if not (math.isfinite(logit_variance) and logit_variance >= 0):
        raise OptionError(f"logit_variance must be finite and not negative, found {logit_variance}")
    return math.log(vocab_size) + logit_variance / 2
