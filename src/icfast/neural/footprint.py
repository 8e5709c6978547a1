"""What a position takes while a model computes it, found by watching two short windows.

Torch on the CPU keeps no peak, so every storage is seen as it comes and goes. Activations grow with
the window's length, scores of attention with its square, which two lengths tell apart; so what a
window of any length takes is known without computing one.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from itertools import accumulate
from typing import Any

from icfast.errors import needs_extra
from icfast.neural.token_model import CPU

#: Positions of the two windows.
_SHORT, _LONG = 16, 48
#: The window to reckon with where a model takes any.
_ANY = 2048
#: For what torch does not show: kernels' own buffers, and what the allocator rounds up.
_MARGIN = 1.5


def bytes_per_token(
    run: Callable[[Any], Any], weights: Iterable[Any], context: int | None, device: str = CPU
) -> int:
    """Bytes for one position of the longest window, at most.

    Args:
        run: computes an int64 tensor of ids (1, positions).
        weights: tensors that are there before, such as a model's parameters.
        device: where ids are given.
    """
    with needs_extra("neural", "a neural model"):
        import torch
    window = context or _ANY
    lengths = [min(length, window) for length in (_SHORT, _LONG)]
    before = [tensor.untyped_storage() for tensor in weights]
    ids = (torch.zeros((1, n), dtype=torch.int64, device=device) for n in lengths)
    short, long = (_watch(run, some, before) for some in ids)
    if [size > 0 for size in short] != [size > 0 for size in long]:
        # Loops over positions: longer windows have more storages, not only larger ones.
        return int(2 * _MARGIN * max(accumulate(long)) / lengths[1])
    grown = [_at(window, *pair, *lengths) for pair in zip(short, long, strict=True)]
    return int(_MARGIN * max(accumulate(grown), default=0) / window)


def _at(window: int, short: int, long: int, short_at: int, long_at: int) -> float:
    """A storage's bytes at a longer window, at most: no faster than the length or its square."""
    power = 2 if abs(long) * short_at > abs(short) * long_at else 1
    return float(long * (window / long_at) ** power)


def _watch(run: Callable[[Any], Any], ids: Any, before: list[Any]) -> list[int]:
    """Bytes of each storage as it comes, and negative as it goes."""
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
