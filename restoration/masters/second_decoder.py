"""How the samples of a picture are read by decoders that share no code with libvips.

The work reads a master through libvips, and a fault of libvips, or of how it is asked, would come through in
the derivative and in any proof that asks libvips again. So the proof asks others: tifffile and imagecodecs
for TIFF, Pillow's own decoders for PNG, GIF and PNM, libpng for PNG of 16 bits. For JPEG, libjpeg-turbo is
asked: libvips comes with mozjpeg, which has grown out of it. WebP has one decoder in the world, so that only
the way in which it is asked is proven.

What counts is what is stored: no alpha is divided out, no profile applied. Samples are those that
`Master.stored_strips` must give. Memory is bounded by strips and tiles; what Pillow must hold as a whole is
read up to `MOST_BYTES`: interlaced PNG, JPEG, WebP, GIF and PNM.
"""

import io
import os
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any, Final, TypeVar

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

from restoration.arrays import ordered_map
from restoration.arrays.buffer_pool import BufferPool
from restoration.arrays.luma import Gray
from restoration.errors import TruncatedImage
from restoration.masters.decode_errors import DamagedPixels, NoSecondDecoder
from restoration.masters.facts import ScanFacts
from restoration.masters.jpeg.completeness import with_end_marker, with_probes
from restoration.masters.png import rows as png_rows
from restoration.masters.safe_open import open_master, require_storage
from restoration.masters.tiff import segments
from restoration.masters.tiff.segment_layout import TIFFFILE_ERRORS, SegmentLayout, segment_layout

MOST_BYTES: Final = 1 << 29
"""Of a picture that is decoded as a whole."""

_WHOLE: Final = {"jpeg": "JPEG", "webp": "WEBP", "gif": "GIF", "pnm": "PPM"}
"""What is decoded as a whole, with Pillow's name of it."""
_EXPANDED: Final = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_PORTION: Final = 1 << 20
"""Samples of a portion of a PNG."""
_SIDE_BY_SIDE: Final = 1 << 25
"""Bytes that rows decoded at once may have so that several portions of rows are decoded side by side."""
_WARNED: Final = 1 << 62

Image.MAX_IMAGE_PIXELS = _WARNED  # our own limits are kept before anything is decoded


_Result = TypeVar("_Result")


def can_read(facts: ScanFacts, most_bytes: int = MOST_BYTES) -> bool:
    """Return whether the facts allow a second decoder; `read_rows` may still refuse."""
    if facts.format in _WHOLE:
        return _whole_bytes(facts) <= most_bytes
    return facts.format in {"tiff", "png"}


def _whole_bytes(facts: ScanFacts) -> int:
    """Return the bytes that a picture takes as a whole: Pillow has 32 bits a sample for 16."""
    return facts.pixels * facts.bands * (4 if facts.depth == 16 else 1)


def read_rows(
    path: Path,
    facts: ScanFacts,
    threads: int | None = None,
    *,
    strict: bool = False,
    most_bytes: int = MOST_BYTES,
) -> Iterator[tuple[int, Gray]]:
    """Yield the top row and the samples (h, W, bands) of rows, from top to bottom, in portions of any height.

    Every pixel was there: nothing is filled up. JPEG data are decoded twice to tell (`jpeg_scan`), LZW data
    only if `strict`; otherwise the comparison with the first decoder must tell. What can only be decoded as a
    whole may have `most_bytes`.

    Raises NoSecondDecoder, TruncatedImage or what `open_master` raises.
    """

    def kept(top: int, samples: Gray, buffers: BufferPool) -> tuple[int, Gray]:
        buffers.clear()  # the samples are the caller's
        return top, samples

    return map_rows(path, facts, kept, threads, strict=strict, most_bytes=most_bytes)


def map_rows(
    path: Path,
    facts: ScanFacts,
    work: Callable[[int, Gray, BufferPool], _Result],
    threads: int | None = None,
    *,
    strict: bool = False,
    most_bytes: int = MOST_BYTES,
) -> Iterator[_Result]:
    """Yield `work` of the top row and the samples of portions of rows, in order, worked on side by side.

    The samples lie in the buffers and are valid as `ordered_map.in_order` says; otherwise as `read_rows`.
    """
    try:
        threads = threads or ordered_map.usual_threads()
        if facts.format == "tiff":
            yield from _tiff(path, facts, work, threads, most_bytes, strict=strict)
            return
        if facts.format == "png":
            found = _png(path, facts, most_bytes)
        elif facts.format in _WHOLE:
            found = _cut(_whole(path, facts, most_bytes), facts)
        else:
            raise NoSecondDecoder(facts.format)
        portions = _from_the_top(found, facts)
        yield from ordered_map.in_order(portions, lambda portion, buffers: work(*portion, buffers), threads)
    except (DamagedPixels, SyntaxError, *TIFFFILE_ERRORS) as error:
        if isinstance(error, OSError):
            require_storage(error, path)
        detail = error if isinstance(error, DamagedPixels) else "their decoder can make no sense of them"
        raise TruncatedImage(
            reason=f"its pixel data are cut off or damaged ({detail})",
            remedy="copy or scan it again",
            path=path,
        ) from error


def _from_the_top(found: Iterator[Gray], facts: ScanFacts) -> Iterator[tuple[int, Gray]]:
    top = 0
    for samples in found:
        yield top, samples
        top += len(samples)
    if top != facts.height:
        raise DamagedPixels(f"{top:,} of {facts.height:,} rows")


def _tiff(
    path: Path,
    facts: ScanFacts,
    work: Callable[[int, Gray, BufferPool], _Result],
    threads: int,
    most_bytes: int,
    *,
    strict: bool,
) -> Iterator[_Result]:
    with open_master(path) as file, _opened(file, path) as tiff:
        page, layout = _page(tiff, facts.page, most_bytes)
        if (layout.width, layout.height) != (facts.width, facts.height):
            raise DamagedPixels("its header tells of another size")
        chosen = _chosen(page, layout, facts)
        colormap = page.colormap if facts.mode == "palette" else None
        descriptor = file.fileno()

        def read(offset: int, size: int) -> bytes:
            return os.pread(descriptor, size, offset)

        def decoded(span: tuple[int, int], buffers: BufferPool) -> _Result:
            packed = segments.decode_span(layout, read, *span, buffers, strict=strict)
            samples = segments.expand_samples(packed, layout, colormap)[..., chosen]
            if facts.mode == "gray-inverted":
                samples = samples.copy()
                samples[..., 0] = np.iinfo(samples.dtype).max - samples[..., 0]
            return work(span[0], samples, buffers)

        spans = segments.row_spans(layout)
        rows = max(end - top for top, end in segments.row_spans(layout))
        if rows * layout.width * layout.samples * layout.dtype.itemsize > _SIDE_BY_SIDE:
            yield from (decoded(span, BufferPool()) for span in spans)
        else:
            yield from ordered_map.in_order(spans, decoded, threads)


def _opened(file: BufferedReader, path: Path) -> tifffile.TiffFile:
    """Open a TIFF with tifffile. Raises NoSecondDecoder for a header that it makes nothing of."""
    try:
        return tifffile.TiffFile(file, name=path.name)
    except TIFFFILE_ERRORS as error:
        raise _odd(error, path) from error


def _page(tiff: tifffile.TiffFile, number: int, most_bytes: int) -> tuple[Any, SegmentLayout]:
    try:
        page: Any = tiff.pages[number]
        return page, segment_layout(page, most_bytes)
    except (DamagedPixels, *TIFFFILE_ERRORS) as error:
        raise _odd(error, Path(tiff.filename)) from error


def _odd(error: Exception, path: Path) -> Exception:
    """Return what to raise: the storage's fault, or that there is one decoder for a header as odd as this."""
    if isinstance(error, OSError):
        require_storage(error, path)
    return NoSecondDecoder("tifffile cannot read its header")


def _chosen(page: Any, layout: SegmentLayout, facts: ScanFacts) -> "slice | list[int]":
    """Return which samples of a pixel belong to the picture: its colors, and alpha if it has any."""
    colors = 3 if facts.mode in {"rgb", "palette", "ycbcr"} else 1
    stored = layout.samples + (2 if facts.mode == "palette" else 0)
    extras = facts.bands - colors
    if stored < facts.bands or extras < 0:
        raise DamagedPixels("its header tells of other samples")
    if extras != 1:
        return slice(0, facts.bands)
    kinds = [int(kind) for kind in page.extrasamples]
    alpha = next((place for place, kind in enumerate(kinds) if kind in {1, 2}), 0)
    return [*range(colors), colors + alpha]


def _png(path: Path, facts: ScanFacts, most_bytes: int) -> Iterator[Gray]:
    portion = max(1, _PORTION // (facts.width * facts.bands))
    for samples in png_rows.read_rows(path, portion, most_bytes):
        yield _as_told(samples, facts)


def _whole(path: Path, facts: ScanFacts, most_bytes: int) -> Gray:
    if _whole_bytes(facts) > most_bytes:
        raise NoSecondDecoder(f"more than {most_bytes:,} bytes, decoded as a whole")
    with open_master(path) as file:
        data = file.read()
    jpeg = facts.format == "jpeg"
    samples = _plain(with_end_marker(data) if jpeg else data, facts)
    if jpeg and not np.array_equal(samples, _plain(with_probes(data), facts)):
        raise DamagedPixels("pixels are missing")
    return _as_told(samples, facts)


def _plain(data: bytes, facts: ScanFacts) -> Gray:
    if facts.format == "jpeg":
        gray_or_rgb: Gray = np.asarray(imagecodecs.jpeg8_decode(data))
        return gray_or_rgb[..., None] if gray_or_rgb.ndim == 2 else gray_or_rgb
    if facts.format == "pnm" and facts.bit_depth == 16:
        return _deep_pnm(data, facts)
    with Image.open(io.BytesIO(data), formats=(_WHOLE[facts.format],)) as picture:
        plain = picture.mode in {"L", "RGB", "RGBA"}
        samples: Gray = np.asarray(picture if plain else picture.convert(_EXPANDED[facts.bands]))
    if facts.format == "gif" and samples.ndim == 3 and samples.shape[2] == 4:
        samples = samples * (samples[..., 3:] > 0)  # what is transparent was not drawn: it has no color
    return samples[..., None] if samples.ndim == 2 else samples


def _deep_pnm(data: bytes, facts: ScanFacts) -> Gray:
    """Return 16-bit samples; Pillow reduces colors to 8 bits, but not a gray picture three times as wide."""
    if facts.bands == 3:
        with Image.open(io.BytesIO(data), formats=("PPM",)) as picture:
            offset = int(picture.tile[0].offset)
        kind = {b"P6": b"P5", b"P3": b"P2"}[data[:2]]
        data = kind + f" {3 * facts.width} {facts.height} 65535\n".encode() + data[offset:]
    with Image.open(io.BytesIO(data), formats=("PPM",)) as picture:
        return np.asarray(picture).astype(np.uint16).reshape(facts.height, facts.width, facts.bands)


def _as_told(samples: Gray, facts: ScanFacts) -> Gray:
    """Return samples with the bands of the facts: a palette of grays may be told of as gray."""
    bands = samples.shape[2]
    if bands == facts.bands:
        return samples
    if bands == facts.bands + 2 and np.ptp(samples[..., :3], axis=2).max() == 0:
        return samples[..., 2:]
    raise DamagedPixels(f"{bands} samples a pixel where {facts.bands} are told of")


def _cut(whole: Gray, facts: ScanFacts) -> Iterator[Gray]:
    rows = max(1, _PORTION // (facts.width * facts.bands))
    yield from (whole[top : top + rows] for top in range(0, len(whole), rows))
