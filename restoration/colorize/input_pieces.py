"""In how many pieces a look at the picture is shown, so that none is larger than the network may be shown.

A network pads what it is shown to a multiple of 32 pixels, and what it computes with takes some 600 bytes for
each pixel, padding counted: one row of 65,537 pixels is two million of them. So the limit holds for what is
computed, not for what the picture has. A look that is larger, as extreme panoramas have, is cut along its
longer side into pieces that overlap by a quarter and are merged as windows are.
"""

from typing import Final

from restoration.arrays import tiling

ONE_PIECE: Final = 1 << 20
"""Most pixels of a picture that a look in one piece has, its padding not counted."""

SHOWN: Final = ONE_PIECE + ONE_PIECE // 4
"""Most pixels that a generator is shown at once, with padding."""

PART: Final = 1 << 18
"""Most pixels, with padding, of each piece of a look that is cut: as many as most pictures are shown in."""

LONGEST: Final = 64
"""Ratio of the sides up to which 128 pixels of the shorter one fit into one piece."""

_SIDE: Final = 512


def padded(side: int, multiple: int) -> int:
    """Return a side with what makes it a multiple, pixels."""
    return -(-side // multiple) * multiple


def fits(height: int, width: int, multiple: int) -> bool:
    """Return whether a look of that size is shown in one piece."""
    extreme = max(height, width) > LONGEST * min(height, width)
    return padded(height, multiple) * padded(width, multiple) <= (PART if extreme else SHOWN)


def pieces(height: int, width: int, multiple: int) -> tuple[tiling.Window, ...]:
    """Return the pieces of a look: all of it, or overlapping parts of it.

    With its sides padded to a `multiple` (a power of two, at most 512) none has more than `SHOWN` pixels, and
    `PART` if there are several.
    """
    if fits(height, width, multiple):
        return tiling.rectangles(height, width, (height, width))
    short = min(padded(min(height, width), multiple), max(_SIDE, multiple))
    long = max(PART // short, multiple) // multiple * multiple
    return tiling.rectangles(height, width, (short, long) if height < width else (long, short))
