"""EXIF orientation."""

from typing import TypeVar

import numpy as np
import numpy.typing as npt

_T = TypeVar("_T", bound=np.generic)


def upright(planes: npt.NDArray[_T], orientation: int) -> npt.NDArray[_T]:
    """Return a view of planes (..., H, W) of any dtype with an EXIF orientation (1 to 8) applied."""
    if orientation >= 5:
        planes = np.swapaxes(planes, -1, -2)
    flip_rows = orientation in {3, 4, 7, 8}
    flip_columns = orientation in {2, 3, 6, 7}
    if flip_rows:
        planes = planes[..., ::-1, :]
    return planes[..., ::-1] if flip_columns else planes
