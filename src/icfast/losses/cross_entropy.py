"""Public loss functions: cross_entropy and linear_cross_entropy.

The functions read their inputs in place: they never copy logits, cast them or write to them. A
row's result does not depend on other rows, so results are bit-identical for any number of threads,
any batch and any strides.
"""

from __future__ import annotations

import sys
from typing import Any

from icfast.backends.losses import TokenLosses
from icfast.losses.device import device_linear_token_losses, device_token_losses
from icfast.losses.host import host_linear_token_losses, host_token_losses
from icfast.losses.inputs import cuda_device
from icfast.losses.options import LossOptions


def cross_entropy(
    logits: Any,
    targets: Any,
    *,
    ignore_index: int = -100,
    vocab_size: int | None = None,
    softcap: float | None = None,
    temperature: float = 1.0,
    return_logsumexp: bool = False,
    return_entropy: bool = False,
    return_rank: bool = False,
    threads: int | None = None,
    backend: str = "auto",
) -> Any:
    """Return the negative log-likelihood of each target, in nats.

    The loss of a row of logits x is ln(sum_v exp(x[v])) - x[target]. It is computed without
    gradients. Its error is at most 2e-6 + 4e-7 * nll for any dtype and offset of the logits. The
    function reads the logits once and allocates nothing of their size.

    Args:
        logits: float32, bfloat16, float16 or float64 array of shape (..., V). The last axis must be
            contiguous; the others may have any stride. Accepted are NumPy arrays (also read-only or
            memory-mapped), torch tensors, CuPy arrays and any array with DLPack or a buffer, in the
            memory of the CPU or of a CUDA device.
        targets: integer array of shape (...).
        ignore_index: target value of tokens that are not scored; their loss is 0.
        vocab_size: number of logits that count; later columns are padding and are not read.
        softcap: cap c; a logit x becomes c tanh(x / c).
        temperature: divisor of the logits, applied after the cap.
        return_logsumexp, return_entropy, return_rank: return :class:`TokenLosses` with that field.
        threads: maximum number of threads; the default is every core that the process may use.
        backend: auto, core or numba; cuda for logits on a device.

    Returns:
        float64 array of shape (...), or :class:`TokenLosses` of such arrays. Torch tensors give
        torch tensors, other arrays NumPy arrays; on a device, other arrays give CuPy arrays. On a
        device the call queues work on the caller's current stream and does not wait for it. The
        loss is inf if the target has probability 0, and NaN if the target is outside the columns or
        the logits are no distribution (NaN, +inf, or only -inf).

    Raises:
        OptionError: a shape, dtype, layout or option is invalid, or a tensor requires grad.
        BackendError: the arrays are on different devices, or the backend is missing.
        MissingExtraError: the logits are on a device, are no torch tensor, and CuPy is missing.

    >>> import numpy as np
    >>> nats = cross_entropy(np.array([[1000.0, 1000.0], [0.0, 0.0]]), np.array([0, -100]))
    >>> nats.round(9).tolist()  # ln 2, and 0 for the ignored token
    [0.693147181, 0.0]
    >>> found = cross_entropy(np.zeros((1, 50257), np.float32), np.array([7]), return_entropy=True)
    >>> round(float(found.nll_nats[0]), 6), round(float(found.entropy_nats[0]), 6)  # ln 50257
    (10.824905, 10.824905)
    """
    options = LossOptions(
        ignore_index,
        vocab_size,
        softcap,
        temperature,
        return_logsumexp,
        return_entropy,
        return_rank,
        threads,
        backend,
    )
    return _as_asked(token_losses(logits, targets, options), options)


def linear_cross_entropy(
    hidden: Any,
    weight: Any,
    targets: Any,
    bias: Any = None,
    softcap: float | None = None,
    *,
    ignore_index: int = -100,
    vocab_size: int | None = None,
    temperature: float = 1.0,
    return_logsumexp: bool = False,
    return_entropy: bool = False,
    return_rank: bool = False,
    threads: int | None = None,
    backend: str = "auto",
) -> Any:
    """Return the losses of logits = hidden weight^T + bias without storing all the logits.

    The function computes the logits one tile at a time, so its memory does not grow with
    tokens x V. A token's loss does not depend on the other tokens of the batch.

    Args:
        hidden: array of shape (..., D), with the dtypes and layouts that :func:`cross_entropy`
            accepts for logits; on a device, not float64.
        weight: array of shape (V, D) with the same dtypes and layouts.
        targets: integer array of shape (...).
        bias: array of shape (V,), or None.
        softcap, ignore_index, vocab_size, temperature: as in :func:`cross_entropy`.
        return_logsumexp, return_entropy, return_rank: as in :func:`cross_entropy`.
        threads, backend: as in :func:`cross_entropy`.

    Returns:
        float64 array of shape (...) or :class:`TokenLosses`, on the device of `hidden`, as
        :func:`cross_entropy` returns.

    Raises:
        OptionError, BackendError: as in :func:`cross_entropy`.
        MissingExtraError: as in :func:`cross_entropy`, or the arrays are on a device and cuBLASLt
            is missing.

    >>> import numpy as np
    >>> hidden, weight = np.array([[1.0, 2.0]]), np.array([[500.0, 250.0], [1000.0, 0.0]])
    >>> linear_cross_entropy(hidden, weight, np.array([1])).round(9).tolist()  # logits 1000, 1000
    [0.693147181]
    """
    options = LossOptions(
        ignore_index,
        vocab_size,
        softcap,
        temperature,
        return_logsumexp,
        return_entropy,
        return_rank,
        threads,
        backend,
    )
    return _as_asked(linear_token_losses(hidden, weight, targets, bias, options), options)


def token_losses(logits: Any, targets: Any, options: LossOptions) -> TokenLosses:
    """Return :func:`cross_entropy`'s results as arrays of the logits' library and device."""
    if (device := cuda_device(logits)) is not None:
        return device_token_losses(logits, targets, options, device)
    return _like(host_token_losses(logits, targets, options), logits)


def linear_token_losses(
    hidden: Any, weight: Any, targets: Any, bias: Any, options: LossOptions
) -> TokenLosses:
    """Return :func:`linear_cross_entropy`'s results as arrays of `hidden`'s library and device."""
    if (device := cuda_device(hidden)) is not None:
        return device_linear_token_losses(hidden, weight, targets, bias, options, device)
    return _like(host_linear_token_losses(hidden, weight, targets, bias, options), hidden)


def _like(found: TokenLosses, array: Any) -> TokenLosses:
    """Return NumPy results as torch tensors if the input was one."""
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(array, torch.Tensor):
        return found
    return TokenLosses(*(None if a is None else torch.from_numpy(a) for a in found))


def _as_asked(found: TokenLosses, options: LossOptions) -> Any:
    """Return the losses alone unless the caller asked for another field."""
    more = options.logsumexp or options.entropy or options.rank
    return found if more else found.nll_nats
