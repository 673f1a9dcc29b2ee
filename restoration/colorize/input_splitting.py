"""Splitting of network inputs that are too large for one forward pass into overlapping parts.

A network pads its input to a multiple of 32 pixels and needs about 600 bytes of memory for each pixel,
padding included: a single row of 65,537 pixels becomes two million. So the limit holds for the padded size. A
larger input, as of extreme panoramas, is split along its longer side into parts that overlap by a quarter and
are merged like windows.
"""

from typing import Final

from restoration.arrays import tiling

MAX_PASS_PIXELS: Final = 1 << 20
"""Maximum number of pixels of a pass in one part, without padding."""

MAX_INPUT_PIXELS: Final = MAX_PASS_PIXELS + MAX_PASS_PIXELS // 4
"""Maximum number of pixels of a network input, with padding."""

PART_PIXELS: Final = 1 << 18
"""Maximum number of pixels of each part of a split input, with padding: as many as most whole inputs have."""

MAX_ASPECT: Final = 64
"""Ratio of the sides up to which 128 pixels of the shorter one fit into one part."""

_SHORT_SIDE = 512


def padded_side(side: int, multiple: int) -> int:
    """Return a side rounded up to a multiple, pixels."""
    return -(-side // multiple) * multiple


def fits_whole(height: int, width: int, multiple: int) -> bool:
    """Return whether an input of that size fits one forward pass."""
    extreme = max(height, width) > MAX_ASPECT * min(height, width)
    pixels = padded_side(height, multiple) * padded_side(width, multiple)
    return pixels <= (PART_PIXELS if extreme else MAX_INPUT_PIXELS)


def split_input(height: int, width: int, multiple: int) -> tuple[tiling.Window, ...]:
    """Return the parts of an input of that size: one if it fits, overlapping parts otherwise.

    With its sides padded to a `multiple` (a power of two, at most 512) no part has more than
    `MAX_INPUT_PIXELS` pixels, or `PART_PIXELS` if there are several.
    """
    if fits_whole(height, width, multiple):
        return tiling.overlapping_windows(height, width, (height, width))
    short = min(padded_side(min(height, width), multiple), max(_SHORT_SIDE, multiple))
    long = max(PART_PIXELS // short, multiple) // multiple * multiple
    return tiling.overlapping_windows(height, width, (short, long) if height < width else (long, short))
