"""Loss of each row of logits.

As in csrc/cpu/losses/softmax_loop.hpp, a row is read in blocks that fit the cache, but all
arithmetic is fp64. The sums add 2^t with t = (x - reference) log2(e) / temperature. The reference
can be far below the largest logit.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from icfast.backends.fallback.jit import OK, jit

# Status codes of tokens and values of losses.Format, since numba does not read enums.
_SCORED, _IGNORED, _INFINITE, _NAN, _OUT_OF_RANGE = 0, 1, 2, 3, 4
_BF16, _FP16 = 1, 2

_BLOCK = 1024
_LOG2_E = 1.4426950408889634

#: Bound of the exponent t below a lagging reference; larger t are clipped.
_MOST = 2.0**500
_LIMIT = 1000.0

#: Adding and subtracting this constant rounds to an integer, which its low bits hold in between.
_WHOLE = 1.5 * 2.0**52

#: Sums of a row before its first logit.
NO_LOGITS = (-np.inf, 0.0, 0.0, 0)

# Any summation order and fused multiply-add: both errors are far below the tolerance.
_any_order = njit(nogil=True, cache=True, error_model="numpy", fastmath={"reassoc", "contract"})
_fused = njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract"})


@_fused
def _decode(part, stored_as, x, bits):
    """Write the numbers of part to x."""
    size = len(part)
    floats = bits.view(np.float32)
    if stored_as == _BF16:
        for i in range(size):
            bits[i] = np.uint32(part[i]) << np.uint32(16)
        for i in range(size):
            x[i] = floats[i]
    elif stored_as == _FP16:
        # Exponent and fraction at their fp32 bits give a value that is 2^112 too small.
        for i in range(size):
            half = np.uint32(part[i])
            bits[i] = ((half & np.uint32(0x8000)) << np.uint32(16)) | (
                (half & np.uint32(0x7FFF)) << np.uint32(13)
            )
        for i in range(size):
            value = np.float64(floats[i]) * 2.0**112
            if abs(value) >= 65536.0:
                value = value * np.inf if abs(value) == 65536.0 else np.nan
            x[i] = value
    else:
        for i in range(size):
            x[i] = part[i]


@jit
def _number(row, index, stored_as):
    x = np.empty(1)
    _decode(row[index : index + 1], stored_as, x, np.empty(1, np.uint32))
    return x[0]


@jit
def _capped(x, softcap):
    if softcap == 0 or math.isinf(x):
        return x
    return softcap * math.tanh(x / softcap)


@_fused
def _powers(x, size, reference, slope, t, p):
    """Compute t = (x - reference) slope, clipped, and p = 2^t."""
    steps = t.view(np.int64)
    for i in range(size):
        power = (x[i] - reference) * slope
        power = -_LIMIT if power < -_LIMIT else power  # NaN stays
        power = _LIMIT if power > _LIMIT else power
        t[i] = power + _WHOLE
        f = power - (t[i] - _WHOLE)
        # Minimax polynomial on [-1/2, 1/2], relative error 4e-11.
        q = 1.5201922641975562e-05
        q = q * f + 0.0001546929113080106
        q = q * f + 0.0013333922559077525
        q = q * f + 0.009618027253711369
        q = q * f + 0.055504103534532084
        q = q * f + 0.24022651198157208
        q = q * f + 0.6931471807284456
        p[i] = q * f + 0.999999999961682
    for i in range(size):
        steps[i] = (steps[i] + 1023) << 52
    for i in range(size):
        p[i] *= t[i]


@_fused
def _cap(x, size, softcap, t, p):
    """Compute x = softcap tanh(x / softcap) by tanh(u) = 1 - 2 / (e^2u + 1); keep infinities."""
    _powers(x, size, 0.0, 2 * _LOG2_E / softcap, t, p)
    for i in range(size):
        capped = softcap * (1.0 - 2.0 / (1.0 + p[i]))
        x[i] = x[i] if abs(x[i]) == np.inf else capped


@_any_order
def _sum(p, size):
    total = 0.0
    for i in range(size):
        total += p[i]
    return total


@_any_order
def _weighted_sum(p, x, size, reference):
    total = 0.0
    for i in range(size):
        gap = x[i] - reference
        total += p[i] * (gap if gap > -1e300 else 0.0)
    return total


@jit
def _larger(x, size, bound):
    count = 0
    for i in range(size):
        count += x[i] > bound
    return count


@jit
def _largest(x, size):
    top = -np.inf
    for i in range(size):
        if x[i] > top:
            top = x[i]
    return top


@jit
def softmax_scratch():
    """Return the scratch space of add_logits."""
    return np.empty(_BLOCK), np.empty(_BLOCK), np.empty(_BLOCK), np.empty(_BLOCK, np.uint32)


@jit
def add_logits(sums, row, stored_as, softmax, target, entropy, ranks, scratch):
    """Add more logits of a row to its sums.

    Return (reference, sum of e^z, sum of z e^z, number of logits above the target's) with
    z = (x - reference) / temperature.
    """
    x, t, p, bits = scratch
    slope = _LOG2_E / softmax.temperature
    reference, total, weighted, larger = sums
    for begin in range(0, len(row), _BLOCK):
        size = min(_BLOCK, len(row) - begin)
        _decode(row[begin : begin + size], stored_as, x, bits)
        if ranks:
            larger += _larger(x, size, target)
        if softmax.softcap != 0:
            _cap(x, size, softmax.softcap, t, p)
        part = np.inf
        if reference > -np.inf:
            _powers(x, size, reference, slope, t, p)
            part = _sum(p, size)
        if part > _MOST:
            top = _largest(x, size)
            if top > reference:
                gap = (top - reference) / softmax.temperature
                scale = math.exp(-gap)
                weighted = (weighted - total * gap) * scale if scale > 0 else 0.0 * total
                total *= scale
                reference = top
            if top == np.inf:
                return 0.0, np.nan, np.nan, larger
            # If all logits are -inf or NaN, the sum tells which.
            _powers(x, size, reference if reference > -np.inf else 0.0, slope, t, p)
            part = _sum(p, size) * (reference > -np.inf)
        total += part
        if entropy:
            weighted += _weighted_sum(p, x, size, reference) / softmax.temperature
    return reference, total, weighted, larger


@jit
def kind_of(target, softmax):
    if target == softmax.ignore_index:
        return _IGNORED
    return _SCORED if 0 <= target < softmax.columns else _OUT_OF_RANGE


@jit
def write_token(out, r, kind, logit, sums, softmax):
    reference, total, weighted, larger = sums
    defined = total > 0
    scored = kind == _SCORED
    if scored and not defined:
        kind = _NAN
    elif scored and logit == -np.inf:
        kind = _INFINITE
    nll = np.nan
    if kind == _IGNORED:
        nll = 0.0
    elif kind == _INFINITE:
        nll = np.inf
    elif kind == _SCORED:
        gap = reference - _capped(logit, softmax.softcap)
        nll = gap / softmax.temperature + math.log(total)
    out.nll_nats[r] = nll
    out.kinds[r] = kind
    log_total = math.log(total) if defined else np.nan
    if len(out.logsumexp_nats):
        out.logsumexp_nats[r] = reference / softmax.temperature + log_total
    if len(out.entropy_nats):
        out.entropy_nats[r] = log_total - weighted / total
    if len(out.rank):
        out.rank[r] = larger if scored and defined else -1


@jit
def cross_entropy(logits, targets, softmax, out):
    scratch = softmax_scratch()
    entropy, ranks = len(out.entropy_nats) > 0, len(out.rank) > 0
    always = entropy or len(out.logsumexp_nats) > 0
    for r in range(len(targets)):
        row = logits.values[r]
        kind = kind_of(np.int64(targets[r]), softmax)
        logit = np.nan
        if kind == _SCORED:
            logit = _number(row, np.int64(targets[r]), logits.format)
        sums = (0.0, np.nan, np.nan, 0)
        if kind == _SCORED or always:
            row = row[: softmax.columns]
            sums = add_logits(
                NO_LOGITS, row, logits.format, softmax, logit, entropy, ranks, scratch
            )
        write_token(out, r, kind, logit, sums, softmax)
    return OK
