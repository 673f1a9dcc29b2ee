"""A bitmap: a set of integers that takes one bit for each."""


class Bitmap:
    """A set of integers from 0 on; its size in bytes is an eighth of the largest one."""

    def __init__(self) -> None:
        self._bits = bytearray()

    def add(self, number: int) -> None:
        """Add a number to the set."""
        index, bit = divmod(number, 8)
        if index >= len(self._bits):
            self._bits.extend(bytes(index + 1 + index // 8 - len(self._bits)))
        self._bits[index] |= 1 << bit

    def __contains__(self, number: int) -> bool:
        index, bit = divmod(number, 8)
        return index < len(self._bits) and bool(self._bits[index] >> bit & 1)
