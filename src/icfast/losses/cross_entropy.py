"""Losses of tokens from logits, or from hidden states and an output layer: the public functions.

Inputs are read where they lie, never copied, cast or written to. Rows do not depend on each other,
so results are the same bits for any threads, batch or strides.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from icfast.backends.losses import (
    LINEAR_TILE,
    DeviceScratch,
    DeviceTokenOut,
    Format,
    Matrix,
    Queue,
    Softmax,
    Tile,
    TokenOut,
)
from icfast.backends.select import select, select_device, select_products
from icfast.errors import OptionError, check
from icfast.losses.device import DeviceArrays
from icfast.losses.dlpack import Device
from icfast.losses.intake import cuda_device, integers, numbers
from icfast.losses.rows import Rows, side_by_side
from icfast.parallel.threads import available_threads

#: Logits a thread must have to be worth its start; about 50 us of reading.
_LOGITS_PER_THREAD = 1 << 18

#: The same for an output layer: products, and rows beside which packing the weights is little.
_PRODUCTS_PER_THREAD, _ROWS_PER_THREAD = 1 << 20, 16

#: Hidden states whose rows have no common stride are gathered, so many at a time.
_GATHERED_ROWS = 2048

#: Dtypes of targets that kernels read as they are.
_TARGET_DTYPES = ("int32", "int64", "uint16", "uint32")


class TokenLosses(NamedTuple):
    """What is known of each token, in the targets' shape; None where it was not asked for.

    Attributes:
        nll_nats: float64, -ln p(target).
        kinds: uint8, what became of it: 0 scored; 1 ignored, loss 0; 2 infinite, probability 0;
            3 nan, no distribution (a NaN or +inf among its logits, or all of them -inf); 4 out of
            range, the target is no column, loss NaN.
        logsumexp_nats: float64, the logarithm of the softmax's denominator.
        entropy_nats: float64, of the predicted distribution.
        rank: int64, how many columns have a larger logit than the target's; 0 is the likeliest.
    """

    nll_nats: Any
    kinds: Any
    logsumexp_nats: Any = None
    entropy_nats: Any = None
    rank: Any = None


@dataclass(frozen=True)
class LossOptions:
    """How logits become losses, what is wanted of them, and who does it.

    Attributes:
        ignore_index: the target of tokens that are not scored.
        vocab_size: columns of the distribution, those behind are padding; None: all.
        softcap: logits x become c tanh(x / c); None: they stay.
        temperature: logits are divided by it, after the cap.
        logsumexp, entropy, rank: also wanted.
        threads, backend: as in :func:`icfast.spectra`.
    """

    ignore_index: int = -100
    vocab_size: int | None = None
    softcap: float | None = None
    temperature: float = 1.0
    logsumexp: bool = False
    entropy: bool = False
    rank: bool = False
    threads: int | None = None
    backend: str = "auto"

    def softmax(self, columns: int, where: str) -> Softmax:
        """As kernels take it.

        Raises:
            OptionError: an option has no meaning, or the distribution no column.
        """
        size = columns if self.vocab_size is None else self.vocab_size
        if not 1 <= size <= columns:
            raise OptionError(
                f"vocab_size {size} must be from 1 to the number of columns, and {where} have "
                f"{columns}"
            )
        for name, value in (("softcap", self.softcap), ("temperature", self.temperature)):
            if value is not None and not (math.isfinite(value) and value > 0):
                raise OptionError(f"{name} {value} must be positive and finite")
        if not -(2**63) <= self.ignore_index < 2**63:
            raise OptionError(f"ignore_index {self.ignore_index} must fit 64 bits")
        return Softmax(size, float(self.softcap or 0), float(self.temperature), self.ignore_index)

    def room(self, rows: int) -> TokenOut:
        """Arrays for what is wanted."""
        return TokenOut(
            np.empty(rows),
            np.empty(rows, np.uint8),
            np.empty(rows if self.logsumexp else 0),
            np.empty(rows if self.entropy else 0),
            np.empty(rows if self.rank else 0, np.int64),
        )

    def threads_for(self, parts: int) -> int:
        """How many threads work of so many parts is worth."""
        if self.threads is not None and self.threads < 1:
            raise OptionError(f"threads {self.threads} must be at least 1")
        return max(1, min(self.threads or available_threads(), parts))


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
    """Negative log-likelihood of each target, in nats: ln sum_v exp(x[v]) - x[target] of logits x.

    Forward only, and exact: within 2e-6 + 4e-7 * nll of the value in real numbers, whatever the
    logits' dtype and offset. The logits are read once, and nothing of their size is allocated.

    Args:
        logits: float32, bfloat16, float16 or float64 (..., V), the last axis contiguous and the
            others of any stride: a numpy array (read-only or mapped is fine), a torch tensor, a
            CuPy array, or anything with DLPack or a buffer; on the CPU or a CUDA device.
        targets: ids of any integer dtype, shape (...).
        ignore_index: the target of tokens that are not scored; their loss is 0.
        vocab_size: columns of the distribution; those behind are padding, whatever they hold.
        softcap: logits x become c tanh(x / c) first.
        temperature: logits are divided by it, after the cap.
        return_logsumexp, return_entropy, return_rank: return :class:`TokenLosses`, with these.
        threads: at most so many; by default the cores this process may use.
        backend: auto, core or numba; cuda for logits on a device.

    Returns:
        float64 (...), a torch tensor where the logits are one, else a numpy array, or on a device a
        CuPy array; or :class:`TokenLosses` of such. On a device the work is queued on the caller's
        current stream, and nothing waits for it. A target of probability 0 costs inf; one that is
        no column, or logits without a distribution (NaN, +inf, all -inf), give NaN, never a number.

    Raises:
        OptionError: shapes, dtypes or layouts do not fit, a tensor requires grad, or an option has
            no meaning.
        BackendError: arrays live on different devices, or the backend that reads them is missing.
        MissingExtraError: logits on a device that are no torch tensor, and there is no CuPy.

    >>> nats = cross_entropy(np.array([[1000.0, 1000.0], [0.0, 0.0]]), np.array([0, -100]))
    >>> nats.round(9).tolist()  # ln 2, and one that is ignored
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
    return _as_asked(losses_beside(logits, targets, options), options)


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
    """:func:`cross_entropy` of logits = hidden weight^T + bias, which exist a tile at a time.

    Memory does not grow with tokens x V, and a token's loss does not depend on what stands beside
    it in the batch.

    Args:
        hidden: (..., D), in a dtype and layout as the logits of :func:`cross_entropy`; on a device
            float64 has no products.
        weight: (V, D), of the same kinds.
        targets: ids of any integer dtype, shape (...).
        bias: (V,), or None.
        softcap, ignore_index, vocab_size, temperature, return_logsumexp, return_entropy,
            return_rank, threads, backend: as in :func:`cross_entropy`.

    Returns:
        As :func:`cross_entropy`; where `hidden` lives.

    Raises:
        OptionError, BackendError: as :func:`cross_entropy`.
        MissingExtraError: as there; or hidden states on a device, and there is no cuBLASLt.

    >>> hidden, weight = np.array([[1.0, 2.0]]), np.array([[500.0, 250.0], [1000.0, 0.0]])
    >>> linear_cross_entropy(hidden, weight, np.array([1])).round(9).tolist()  # 1000 and 1000
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
    return _as_asked(linear_losses_beside(hidden, weight, targets, bias, options), options)


def losses_beside(logits: Any, targets: Any, options: LossOptions) -> TokenLosses:
    """What :func:`cross_entropy` finds, as arrays of the library and where the logits are."""
    if (device := cuda_device(logits)) is not None:
        return device_token_losses(logits, targets, options, device)
    return _beside(token_losses(logits, targets, options), logits)


def linear_losses_beside(
    hidden: Any, weight: Any, targets: Any, bias: Any, options: LossOptions
) -> TokenLosses:
    """What :func:`linear_cross_entropy` finds, as arrays of the library and where `hidden` is."""
    if (device := cuda_device(hidden)) is not None:
        return device_linear_token_losses(hidden, weight, targets, bias, options, device)
    return _beside(linear_token_losses(hidden, weight, targets, bias, options), hidden)


def token_losses(logits: Any, targets: Any, options: LossOptions) -> TokenLosses:
    """What :func:`cross_entropy` finds, as numpy arrays; arguments and errors are the same."""
    values, form = numbers(logits, "logits")
    ids = _flat_targets(targets, values.shape[:-1], "logits")
    softmax = options.softmax(values.shape[-1], "logits")
    kernels = select(options.backend).kernels
    rows, out = Rows(values), options.room(len(ids))

    def score(begin: int, end: int) -> None:
        for first, run in rows.runs(begin, end):
            ids_here, out_here = _part(ids, out, first, len(run))
            check(kernels.cross_entropy(Matrix(run, form), ids_here, softmax, out_here))

    parts = min(rows.count, values.size // _LOGITS_PER_THREAD)
    side_by_side(score, rows.count, options.threads_for(parts))
    return _shaped(out, values.shape[:-1], options)


def device_token_losses(
    logits: Any, targets: Any, options: LossOptions, device: Device
) -> TokenLosses:
    """The same of logits on a CUDA device, as arrays there; queued on the caller's stream."""
    kernels = select_device(options.backend).kernels
    options.threads_for(1)
    here = DeviceArrays.beside(logits, device)
    values, form = numbers(logits, "logits", here.queue)
    shape = values.shape[:-1]
    ids = here.ids(targets, shape, "targets")
    softmax = options.softmax(values.shape[-1], "logits")
    found = _device_room(here, shape, options)
    rows = Rows(values)
    for first, run in rows.runs(0, rows.count):
        out = DeviceTokenOut._make(here.address(array, first) for array in found)
        ids_here = ids._replace(address=ids.address + first * here.id_bytes(ids))
        status = kernels.cross_entropy(here.matrix(run, form), ids_here, softmax, out, here.queue)
        check(status, f"logits on {device}")
    return found


def _device_room(here: DeviceArrays, shape: tuple[int, ...], options: LossOptions) -> TokenLosses:
    return TokenLosses(
        here.empty(shape, "float64"),
        here.empty(shape, "uint8"),
        here.empty(shape, "float64") if options.logsumexp else None,
        here.empty(shape, "float64") if options.entropy else None,
        here.empty(shape, "int64") if options.rank else None,
    )


def device_linear_token_losses(
    hidden: Any,
    weight: Any,
    targets: Any,
    bias: Any,
    options: LossOptions,
    device: Device,
    tile: Tile = LINEAR_TILE,
) -> TokenLosses:
    """What :func:`linear_cross_entropy` finds on a CUDA device, queued on the caller's stream."""
    kernels = select_products(options.backend).kernels
    options.threads_for(1)
    here = DeviceArrays.beside(hidden, device)
    values, form = numbers(hidden, "hidden states", here.queue)
    layer = Matrix(*numbers(weight, "weights", here.queue))
    columns, width = _layer_shape(layer, values.shape[-1])
    added = _bias(bias, columns, here.queue)
    for name, found_form in (
        ("hidden states", form),
        ("weights", layer.format),
        ("biases", added.format),
    ):
        if found_form == Format.FP64:
            raise OptionError(
                f"{name} on {device} are float64; products there take float32, bfloat16 and "
                "float16: convert them, or move all of them to the CPU"
            )
    shape = values.shape[:-1]
    ids = here.ids(targets, shape, "targets")
    softmax = options.softmax(columns, "weights")
    found = _device_room(here, shape, options)
    rows = Rows(values)
    runs = [run for _, run in islice(rows.runs(0, rows.count), 2)]
    if not runs:
        return found
    if len(runs) > 1:  # each would fill tiles of its own
        copy = here.contiguous(hidden)
        runs = [numbers(copy, "hidden states", here.queue).values.reshape(-1, width)]
    operands = (here.matrix(runs[0], form), here.matrix(*layer), here.matrix(*added))
    size = kernels.linear_scratch_bytes(*operands, softmax, tile)
    scratch = here.empty((size,), "uint8")
    out = DeviceTokenOut._make(map(here.address, found))
    status = kernels.linear_cross_entropy(
        *operands, ids, softmax, tile, DeviceScratch(here.address(scratch), size), out, here.queue
    )
    check(status, f"hidden states on {device}")
    return found


def linear_token_losses(
    hidden: Any, weight: Any, targets: Any, bias: Any, options: LossOptions
) -> TokenLosses:
    """What :func:`linear_cross_entropy` finds, as numpy arrays."""
    values, form = numbers(hidden, "hidden states")
    layer = Matrix(*numbers(weight, "weights"))
    columns, width = _layer_shape(layer, values.shape[-1])
    added = _bias(bias, columns)
    ids = _flat_targets(targets, values.shape[:-1], "hidden states")
    softmax = options.softmax(columns, "weights")
    kernels = select(options.backend).kernels
    rows, out = Rows(values), options.room(len(ids))

    def score(begin: int, end: int) -> None:
        scratch = np.empty(kernels.linear_scratch_bytes(width), np.uint8)
        for first, block in rows.blocks(begin, end, _GATHERED_ROWS):
            ids_here, out_here = _part(ids, out, first, len(block))
            check(
                kernels.linear_cross_entropy(
                    Matrix(block, form), layer, added, ids_here, softmax, scratch, out_here
                )
            )

    parts = min(
        rows.count // _ROWS_PER_THREAD, rows.count * columns * width // _PRODUCTS_PER_THREAD
    )
    if rows.count:
        side_by_side(score, rows.count, options.threads_for(parts))
    return _shaped(out, values.shape[:-1], options)


def _layer_shape(layer: Matrix, width: int) -> tuple[int, int]:
    shape = layer.values.shape
    if len(shape) != 2 or shape[1] != width or width == 0:
        raise OptionError(
            f"weights have shape {shape}, expected (V, D) with the D of hidden states (..., D), "
            f"which is {width}, at least 1"
        )
    return shape


def _bias(bias: Any, columns: int, queue: Queue | None = None) -> Matrix:
    """One row, of no columns where there is none."""
    if bias is None:
        return Matrix(np.empty((1, 0), np.float32), Format.FP32)
    values, form = numbers(bias, "biases", queue)
    if values.shape != (columns,):
        raise OptionError(f"biases have shape {values.shape}, expected ({columns},) as weights")
    return Matrix(values[np.newaxis], form)


def _part(ids: NDArray[Any], out: TokenOut, first: int, rows: int) -> tuple[NDArray[Any], TokenOut]:
    part = slice(first, first + rows)
    return ids[part], TokenOut._make(array[part] for array in out)


def _flat_targets(targets: Any, shape: tuple[int, ...], of: str) -> NDArray[Any]:
    """The targets in one row, in a dtype kernels read."""
    ids = integers(targets, "targets")
    if ids.shape != shape:
        raise OptionError(
            f"targets have shape {ids.shape}, expected {shape}: one for each row of the {of}"
        )
    if ids.dtype == np.uint64:  # a huge one is no column, and must not become a negative one
        ids = np.minimum(ids, np.uint64(2**63 - 1))
    if ids.dtype.name not in _TARGET_DTYPES or not ids.dtype.isnative:
        ids = ids.astype(np.int64)
    return np.ascontiguousarray(ids).reshape(-1)


def _shaped(out: TokenOut, shape: tuple[int, ...], options: LossOptions) -> TokenLosses:
    return TokenLosses(
        out.nll_nats.reshape(shape),
        out.kinds.reshape(shape),
        out.logsumexp_nats.reshape(shape) if options.logsumexp else None,
        out.entropy_nats.reshape(shape) if options.entropy else None,
        out.ranks.reshape(shape) if options.rank else None,
    )


def _beside(found: TokenLosses, array: Any) -> TokenLosses:
    """Tensors beside a tensor."""
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(array, torch.Tensor):
        return found
    return TokenLosses(*(None if a is None else torch.from_numpy(a) for a in found))


def _as_asked(found: TokenLosses, options: LossOptions) -> Any:
    """The losses alone where nothing else was asked for."""
    more = options.logsumexp or options.entropy or options.rank
    return found if more else found.nll_nats
