"""Further pages of a TIFF: whether each of them is a reduced copy of the picture, determined from its pixels.

A preview is smaller than the picture and has its aspect ratio, but so has the back of a print, or the same
print scanned again at half the resolution. A copy agrees with the picture in content (correlation of both at
32 pixels), in brightness, and either pixel by pixel or in its grain: resampling and compression change the
grain, but only another scan has a different one. Measured on copies of five pictures by four filters, plain
and as JPEG of quality 75 and 30: the differences of 90 % of the pixels stay below 2.2 steps of 255, or fine
detail correlates by .25 or more. Two scans of one picture had 2.7 steps and .07.

A page that its header calls a reduced copy must agree in content only: such copies may have another tone, or
borders beside the picture that fill another aspect ratio.
"""

from collections.abc import Callable
from io import BufferedReader
from pathlib import Path
from typing import Final

import numpy as np
import pyvips

from restoration.arrays import resample
from restoration.arrays.area_mean import AreaMean
from restoration.arrays.luma import Float
from restoration.errors import TruncatedImage, UnsupportedImage
from restoration.masters import libvips, monochrome, second_decoder
from restoration.masters.decode_errors import NoSecondDecoder
from restoration.masters.facts import ScanFacts
from restoration.masters.orientation import upright
from restoration.masters.refusals import unreadable_pixels
from restoration.masters.safe_open import open_master
from restoration.masters.tiff import pixels
from restoration.masters.tiff.directory import NoDirectory
from restoration.masters.tiff.facts import picture_facts
from restoration.masters.tiff.picture import (
    TiffPicture,
    find_picture,
    needs_second_decoder,
    open_page,
    several_pictures,
)

_MAX_SIDE: Final = 1024
"""Longer pages are reduced to this before they are compared."""
_COARSE: Final = 32
_LEAST_CORRELATION: Final = 0.96
_BRIGHTNESS: Final = 0.06
"""Mean difference, in parts of the range."""
_FLAT: Final = 0.02
"""Standard deviation below which there is nothing to correlate; the mean difference may then be this much."""
_NEARLY_EQUAL: Final = 2.2 / 255
_SAME_DETAIL: Final = 0.25
_LEAST_SIDE: Final = 8

_TINY: Final = 160
"""Side up to which a flagged page may differ more."""
_FLAGGED_CORRELATION: Final = 0.9
_TINY_CORRELATION: Final = 0.8
"""Least correlation at 32 pixels of a flagged page with the picture."""
_FLAGGED_DIFFERENCE: Final = 0.1
_QUARTER_TURNS: Final = (1, 6, 8)
"""EXIF orientations that a flagged page may have."""


def require_one_picture(
    path: Path, facts: ScanFacts, planes: Float, rows: int, alive: Callable[[], None]
) -> list[str]:
    """Return notes about pages that cannot be read; raise UnsupportedImage if a page is another picture.

    `planes` (C, h, w), float32 in [0, 1], are the picture as stored. Pages are read `rows` at a time, and
    `alive` is called after each strip.
    """
    others, notes = 0, []
    with open_master(path) as file:
        picture = find_picture(file, path, facts.file_bytes)
        if not picture.copies:
            return []
        gray = _reduced_page(file, path, picture, rows, alive)
        if gray is None:
            gray = monochrome.luminance_plane(planes)
        for number in picture.copies:
            flagged = picture.is_flagged(number)
            page = None
            try:
                page = _reduced_page(file, path, open_page(picture, number, path), rows, alive)
                readable = page is not None or not flagged
            except (TruncatedImage, NoDirectory):
                readable = not (flagged or picture.is_clearly_smaller(number))
            except UnsupportedImage:
                readable = not flagged
            if not readable:
                notes.append("TIFF: a further page, smaller than the picture, cannot be read; ignored")
            elif page is None or not is_copy(page, gray, facts.orientation, flagged=flagged):
                others += 1
    if others:
        raise several_pictures(1 + others, path)
    return notes


def _reduced_page(
    file: BufferedReader, path: Path, page: TiffPicture, rows: int, alive: Callable[[], None]
) -> Float | None:
    """Return the gray (h, w), float32 in [0, 1], of a page as stored, reduced; None if no decoder reads it.

    Raises TruncatedImage, UnsupportedImage, OutOfMemory or MasterUnavailable.
    """
    layout = page.layout
    side = min(_MAX_SIDE, max(layout.width, layout.height))
    mean = AreaMean(layout.height, layout.width, *resample.fit(layout.height, layout.width, side))
    try:
        if needs_second_decoder(layout):
            strips = second_decoder.read_rows(path, picture_facts(page), threads=1)
        else:
            strips = libvips.iterate_in_thread(lambda: pixels.read_strips(file, page, rows))
        for _, samples in strips:
            mean.add(samples[..., : 3 if samples.shape[-1] >= 3 else 1])
            alive()
    except NoSecondDecoder:
        return None
    except pyvips.Error as error:
        raise unreadable_pixels(path, libvips.first_line(error)) from error
    planes = mean.planes()
    return planes[0] if layout.mode == "ycbcr" else monochrome.luminance_plane(planes)


def is_copy(page: Float, picture: Float, orientation: int, *, flagged: bool = False) -> bool:
    """Return whether the gray `page` (h, w) is a copy of the gray `picture` (H, W), as stored or upright.

    Both are float32 in [0, 1]. A page that is not `flagged` as a reduced copy must be no larger than the
    picture.
    """
    if flagged:  # some writers turn only the copy
        turned = [upright(picture, turn) for turn in (*_QUARTER_TURNS, orientation)]
        return any(_correlates(part, one) for one in turned for part in (page, _without_borders(page, one)))
    return _is_same(page, picture) or (orientation != 1 and _is_same(page, upright(picture, orientation)))


def _without_borders(page: Float, picture: Float) -> Float:
    """Return the middle of a page that has the aspect ratio of the picture."""
    scale = min(page.shape[0] / picture.shape[0], page.shape[1] / picture.shape[1])
    height, width = (max(1, round(side * scale)) for side in picture.shape)
    top, left = (page.shape[0] - height) // 2, (page.shape[1] - width) // 2
    return page[top : top + height, left : left + width]


def _correlates(page: Float, picture: Float) -> bool:
    size = resample.fit(page.shape[0], page.shape[1], min(_COARSE, max(page.shape)))
    if size[0] > picture.shape[0] or size[1] > picture.shape[1]:
        return False
    one, other = (resample.reduce(plane, *size) for plane in (page, picture))
    if float(one.std() * other.std()) < _FLAT**2:
        return float(np.abs(one - other).mean()) <= _FLAGGED_DIFFERENCE
    least = _TINY_CORRELATION if max(page.shape) <= _TINY else _FLAGGED_CORRELATION
    return _correlation(one - one.mean(), other - other.mean()) >= least


def _is_same(page: Float, picture: Float) -> bool:
    if page.shape[0] > picture.shape[0] or page.shape[1] > picture.shape[1]:
        return False
    reduced = resample.reduce(picture, page.shape[0], page.shape[1])
    return _is_same_coarsely(page, reduced) and _has_same_detail(page, reduced)


def _is_same_coarsely(page: Float, picture: Float) -> bool:
    size = resample.fit(page.shape[0], page.shape[1], min(_COARSE, max(page.shape)))
    one, other = (resample.reduce(plane, *size) for plane in (page, picture))
    difference = float(np.abs(one - other).mean())
    if float(one.std() * other.std()) < _FLAT**2:
        return difference <= _FLAT
    return (
        difference <= _BRIGHTNESS
        and _correlation(one - one.mean(), other - other.mean()) >= _LEAST_CORRELATION
    )


def _has_same_detail(page: Float, picture: Float) -> bool:
    """Return whether nearly all pixels are equal, or fine detail without the strongest edges correlates."""
    slope, offset = np.polyfit(picture.ravel(), page.ravel(), 1) if picture.std() > 0 else (1.0, 0.0)
    differences = np.sort(np.abs(page - (slope * picture + offset)).ravel())
    nearly_all = differences[: max(1, differences.size * 9 // 10)]
    if float(np.sqrt((nearly_all**2).mean())) <= _NEARLY_EQUAL:
        return True
    if min(page.shape) < _LEAST_SIDE:
        return False
    return _correlation(_detail(page), _detail(picture)) >= _SAME_DETAIL


def _detail(plane: Float) -> Float:
    """Return the difference of each inner pixel from its four neighbors, clipped at 2.5 robust deviations."""
    around = (plane[:-2, 1:-1] + plane[2:, 1:-1] + plane[1:-1, :-2] + plane[1:-1, 2:]) / 4
    detail = plane[1:-1, 1:-1] - around
    most = 2.5 * 1.4826 * np.median(np.abs(detail))
    return np.clip(detail, -most, most)


def _correlation(one: Float, other: Float) -> float:
    spread = float(np.sqrt((one**2).mean() * (other**2).mean()))
    return float((one * other).mean()) / spread if spread else 0.0
