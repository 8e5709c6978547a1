"""Memory that a model needs per position, estimated from two short contexts.

torch records no memory peak on the CPU, so this module watches the allocation and release of every
storage. Activations grow with the length of the context and attention scores with its square. Two
lengths tell the two apart, which gives the memory of a context of any length.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from itertools import accumulate
from typing import Any

from icfast.errors import needs_extra
from icfast.neural.token_model import CPU

#: Lengths of the two contexts.
_SHORT, _LONG = 16, 48
#: Length to estimate for if the model takes any.
_ANY = 2048
#: Factor for memory that torch does not show: buffers inside kernels and allocator rounding.
_MARGIN = 1.5


def bytes_per_token(
    run: Callable[[Any], Any], weights: Iterable[Any], context: int | None, device: str = CPU
) -> int:
    """Return the maximum memory per position of the longest context, in bytes.

    Args:
        run: function that computes an int64 tensor of ids, shape (1, positions).
        weights: tensors that exist before, such as the model's parameters.
        context: maximum length of a context, or None.
        device: device of the ids.
    """
    with needs_extra("neural", "a neural model"):
        import torch
    length = context or _ANY
    lengths = [min(n, length) for n in (_SHORT, _LONG)]
    before = [tensor.untyped_storage() for tensor in weights]
    ids = (torch.zeros((1, n), dtype=torch.int64, device=device) for n in lengths)
    short, long = (_watch(run, some, before) for some in ids)
    if [size > 0 for size in short] != [size > 0 for size in long]:
        # A loop over positions: longer contexts have more storages, not only larger ones.
        return int(2 * _MARGIN * max(accumulate(long)) / lengths[1])
    grown = [_extrapolated(length, *pair, *lengths) for pair in zip(short, long, strict=True)]
    return int(_MARGIN * max(accumulate(grown), default=0) / length)


def _extrapolated(length: int, short: int, long: int, short_at: int, long_at: int) -> float:
    """Return a storage's maximum size at a longer length, linear or quadratic in the length."""
    power = 2 if abs(long) * short_at > abs(short) * long_at else 1
    return float(long * (length / long_at) ** power)


def _watch(run: Callable[[Any], Any], ids: Any, before: list[Any]) -> list[int]:
    """Return the size of each storage at its allocation, and the negative size at its release."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    events: list[int] = []
    seen = weakref.WeakSet(before)

    class Watch(TorchDispatchMode):  # type: ignore[misc]
        def __torch_dispatch__(
            self, function: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            found = function(*args, **(kwargs or {}))
            for tensor in tree_leaves(found):
                if isinstance(tensor, torch.Tensor):
                    self.add(tensor.untyped_storage())
            return found

        def add(self, storage: Any) -> None:
            if storage not in seen:
                seen.add(storage)
                events.append(storage.nbytes())
                weakref.finalize(storage, events.append, -storage.nbytes())

    with Watch():
        kept = run(ids)
    watched = list(events)
    del kept
    return watched
