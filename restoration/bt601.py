"""What the luma of a picture is, computed in other ways than by the code that colors it.

The proof asks here: `color` has code of its own for the same sums.
"""

import numpy as np
import numpy.typing as npt
from PIL import Image

from restoration.color import Gray


def by_integers(rgb: Gray) -> Gray:
    """Return the luma (h, W) of RGB (h, W, 3) by the weights of Pillow, 16-bit fixed point.

    With 8 bits Pillow itself computes it.
    """
    if rgb.dtype == np.uint8:
        return np.asarray(Image.fromarray(np.ascontiguousarray(rgb)).convert("L"))
    return (_weighted(rgb, (19595, 38470, 7471), 1 << 15) >> 16).astype(rgb.dtype)


def by_thousandths(rgb: Gray) -> Gray:
    """Return the luma (h, W) of RGB (h, W, 3) by the weights .299, .587 and .114, rounded to nearest."""
    return (_weighted(rgb, (299, 587, 114), 500) // 1000).astype(rgb.dtype)


def _weighted(rgb: Gray, weights: tuple[int, int, int], half: int) -> npt.NDArray[np.uint32]:
    """Return the sum of the weighted channels and `half`: below 2**32 for either kind of weights."""
    total: npt.NDArray[np.uint32] = np.multiply(rgb[..., 0], weights[0], dtype=np.uint32)
    total += np.multiply(rgb[..., 1], weights[1], dtype=np.uint32)
    total += np.multiply(rgb[..., 2], weights[2], dtype=np.uint32)
    total += np.uint32(half)
    return total
