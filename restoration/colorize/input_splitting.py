"""In how many pieces a look at the picture is shown, so that none is larger than the network may be shown.

A network pads what it is shown to a multiple of 32 pixels, and what it computes with takes some 600 bytes for
each pixel, padding counted: one row of 65,537 pixels is two million of them. So the limit holds for what is
computed, not for what the picture has. A look that is larger, as extreme panoramas have, is cut along its
longer side into pieces that overlap by a quarter and are merged as windows are.
"""

from typing import Final

from restoration.arrays import tiling

MAX_PASS_PIXELS: Final = 1 << 20
"""Most pixels of a picture that a look in one piece has, its padding not counted."""

MAX_INPUT_PIXELS: Final = MAX_PASS_PIXELS + MAX_PASS_PIXELS // 4
"""Most pixels that a generator is shown at once, with padding."""

PART_PIXELS: Final = 1 << 18
"""Most pixels, with padding, of each piece of a look that is cut: as many as most pictures are shown in."""

MAX_ASPECT: Final = 64
"""Ratio of the sides up to which 128 pixels of the shorter one fit into one piece."""

_SIDE: Final = 512


def padded_side(side: int, multiple: int) -> int:
    """Return a side with what makes it a multiple, pixels."""
    return -(-side // multiple) * multiple


def fits_whole(height: int, width: int, multiple: int) -> bool:
    """Return whether a look of that size is shown in one piece."""
    extreme = max(height, width) > MAX_ASPECT * min(height, width)
    return padded_side(height, multiple) * padded_side(width, multiple) <= (
        PART_PIXELS if extreme else MAX_INPUT_PIXELS
    )


def split_input(height: int, width: int, multiple: int) -> tuple[tiling.Window, ...]:
    """Return the parts of an input of that size: one if it fits, overlapping parts otherwise.

    With its sides padded to a `multiple` (a power of two, at most 512) no part has more than
    `MAX_INPUT_PIXELS` pixels, or `PART_PIXELS` if there are several.
    """
    if fits_whole(height, width, multiple):
        return tiling.overlapping_windows(height, width, (height, width))
    short = min(padded_side(min(height, width), multiple), max(_SIDE, multiple))
    long = max(PART_PIXELS // short, multiple) // multiple * multiple
    return tiling.overlapping_windows(height, width, (short, long) if height < width else (long, short))
