"""Whether a small page of a file shows the same picture as the large one, told from the pixels.

A preview is smaller and of the same aspect, but so is the back of a print, or the same print once more, at
half the resolution. A copy agrees with the picture in what it shows (correlation of both at 32 pixels), how
bright it is, and either pixel by pixel or in its grain: resampling and compression change that, but only
another scan has other grain. Measured on copies by four filters, plain and as JPEG of quality 75 and 30, of
five pictures: the differences of 90 % of the pixels stay below 2.2 steps of 255, or fine detail correlates by
.25 or more; two scans of a picture had 2.7 steps and .07.

Of a page that its header calls a reduced copy, only what it shows must agree: such copies may have another
tone, or stripes beside the picture that fill another aspect.
"""

from typing import Final

import numpy as np

from restoration.arrays import resample
from restoration.arrays.luma import Float
from restoration.masters.orientation import upright

MOST_SIDE: Final = 1024
"""Longer pages are reduced to this before they are compared."""

_COARSE: Final = 32
_RELATED: Final = 0.96
_BRIGHTNESS: Final = 0.06
"""Mean difference, in parts of the range."""
_FLAT: Final = 0.02
"""Standard deviation below which there is nothing to correlate; then as little may differ."""
_NEARLY_EQUAL: Final = 2.2 / 255
_SAME_DETAIL: Final = 0.25
_LEAST_SIDE: Final = 8

_TINY: Final = 160
"""Side of a page up to which much of what a flagged one shows may differ."""
_ALIKE: Final = 0.9
_TINY_ALIKE: Final = 0.8
"""Least correlation at 32 pixels of a flagged page with the picture."""
_FLAT_DIFFERENCE: Final = 0.1
_QUARTER_TURNS: Final = (1, 6, 8)
"""Orientations."""


def is_copy(page: Float, picture: Float, orientation: int, *, flagged: bool = False) -> bool:
    """Whether the gray `page` (h, w) shows the gray `picture` (H, W), as stored or upright.

    The picture is at least as large as the page, unless it is `flagged` as a reduced copy.
    """
    if flagged:  # some writers turn the copy only
        return any(_alike(page, upright(picture, turn)) for turn in (*_QUARTER_TURNS, orientation))
    return _same(page, picture) or (orientation != 1 and _same(page, upright(picture, orientation)))


def _alike(page: Float, picture: Float) -> bool:
    return any(_is_alike(part, picture) for part in (page, _without_stripes(page, picture)))


def _without_stripes(page: Float, picture: Float) -> Float:
    """Return the middle of a page that has the aspect of the picture."""
    scale = min(page.shape[0] / picture.shape[0], page.shape[1] / picture.shape[1])
    height, width = (max(1, round(side * scale)) for side in picture.shape)
    top, left = (page.shape[0] - height) // 2, (page.shape[1] - width) // 2
    return page[top : top + height, left : left + width]


def _is_alike(page: Float, picture: Float) -> bool:
    size = resample.fit(page.shape[0], page.shape[1], min(_COARSE, max(page.shape)))
    if size[0] > picture.shape[0] or size[1] > picture.shape[1]:
        return False
    one, other = (resample.reduce(plane, *size) for plane in (page, picture))
    if float(one.std() * other.std()) < _FLAT**2:
        return float(np.abs(one - other).mean()) <= _FLAT_DIFFERENCE
    least = _TINY_ALIKE if max(page.shape) <= _TINY else _ALIKE
    return _correlation(one - one.mean(), other - other.mean()) >= least


def _same(page: Float, picture: Float) -> bool:
    if page.shape[0] > picture.shape[0] or page.shape[1] > picture.shape[1]:
        return False
    reduced = resample.reduce(picture, page.shape[0], page.shape[1])
    return _shows_the_same(page, reduced) and _has_the_same_detail(page, reduced)


def _shows_the_same(page: Float, picture: Float) -> bool:
    size = resample.fit(page.shape[0], page.shape[1], min(_COARSE, max(page.shape)))
    one, other = (resample.reduce(plane, *size) for plane in (page, picture))
    difference = float(np.abs(one - other).mean())
    if float(one.std() * other.std()) < _FLAT**2:
        return difference <= _FLAT
    return difference <= _BRIGHTNESS and _correlation(one - one.mean(), other - other.mean()) >= _RELATED


def _has_the_same_detail(page: Float, picture: Float) -> bool:
    """Whether nearly all pixels are alike, or fine detail, without its strongest edges, is related."""
    slope, offset = np.polyfit(picture.ravel(), page.ravel(), 1) if picture.std() > 0 else (1.0, 0.0)
    differences = np.sort(np.abs(page - (slope * picture + offset)).ravel())
    nearly_all = differences[: max(1, differences.size * 9 // 10)]
    if float(np.sqrt((nearly_all**2).mean())) <= _NEARLY_EQUAL:
        return True
    if min(page.shape) < _LEAST_SIDE:
        return False
    return _correlation(_detail(page), _detail(picture)) >= _SAME_DETAIL


def _detail(plane: Float) -> Float:
    """Return how far each pixel is from the mean of its neighbors, at most 2.5 usual deviations."""
    around = (plane[:-2, 1:-1] + plane[2:, 1:-1] + plane[1:-1, :-2] + plane[1:-1, 2:]) / 4
    detail = plane[1:-1, 1:-1] - around
    most = 2.5 * 1.4826 * np.median(np.abs(detail))
    return np.clip(detail, -most, most)


def _correlation(one: Float, other: Float) -> float:
    spread = float(np.sqrt((one**2).mean() * (other**2).mean()))
    return float((one * other).mean()) / spread if spread else 0.0
