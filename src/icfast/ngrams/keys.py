"""Keys: how the windows of one order are packed into words of 64 bits."""

from __future__ import annotations

from dataclasses import dataclass

from icfast.backends.counting import MAX_KEY_WORDS, MAX_ORDER
from icfast.errors import OptionError


@dataclass(frozen=True)
class KeyShape:
    """Packing of the windows of one order: bits per symbol and 64-bit words per key."""

    order: int
    bits: int
    words: int

    @property
    def key_bytes(self) -> int:
        """Bytes of a key."""
        return 8 * self.words

    @classmethod
    def of(cls, order: int, used_ids: int) -> KeyShape:
        """Return the shape for windows over an alphabet of `used_ids` ids.

        Raises:
            OptionError: the order is not 1..64, or a history needs more than 256 bits.

        >>> KeyShape.of(5, 50_257)
        KeyShape(order=5, bits=16, words=1)
        """
        if not 1 <= order <= MAX_ORDER:
            raise OptionError(f"order {order} must be at least 1 and at most {MAX_ORDER}")
        bits = max(1, used_ids.bit_length())
        words = max(1, -(-(order - 1) * bits // 64))
        if words > MAX_KEY_WORDS:
            most = 1 + 64 * MAX_KEY_WORDS // bits
            raise OptionError(
                f"order {order} is too high for {used_ids} distinct ids: its keys need "
                f"{(order - 1) * bits} bits, and icfast packs up to {64 * MAX_KEY_WORDS}. Pass "
                f"--order {most} or less."
            )
        return cls(order, bits, words)


def can_pack(order: int, used_ids: int) -> bool:
    """Return whether windows of this order over `used_ids` ids fit a key.

    >>> can_pack(17, 50_257), can_pack(18, 50_257)
    (True, False)
    """
    bits = max(1, used_ids.bit_length())
    return order <= MAX_ORDER and (order - 1) * bits <= 64 * MAX_KEY_WORDS
