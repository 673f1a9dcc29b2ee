"""Samples of a TIFF picture, decoded by libvips through a header of our own.

Our header replaces that of the file and holds only what decoding needs: what is odd about the original cannot
stop the decoder, and damaged pixel data are still an error. It describes one picture, whichever of the file
it is. It declares no channel as alpha, so that libvips divides nothing by it, presents separate planes as
gray pictures, and YCbCr as stored.
"""

import struct
from collections.abc import Iterator
from dataclasses import replace
from io import BufferedReader
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyvips

from restoration.arrays.luma import Gray
from restoration.masters.patched_file import PatchedFile, vips_source
from restoration.masters.tiff.layout import (
    GRAY,
    JPEG,
    PALETTE,
    PREDICTED,
    RGB,
    UNSPECIFIED,
    YCBCR,
    PictureLayout,
)
from restoration.masters.tiff.names import TagCode
from restoration.masters.tiff.picture import TiffPicture

_SHORT, _LONG, _UNDEFINED, _LONG8 = 3, 4, 7, 16
_FAX_OPTIONS: Final = (TagCode.T4_OPTIONS, TagCode.T6_OPTIONS)


def read_strips(file: BufferedReader, picture: TiffPicture, rows: int) -> Iterator[tuple[int, Gray]]:
    """Yield the top row and the samples (h, W, bands), uint8 or uint16, of strips of `rows`.

    The bands are the colors, then alpha if there is one.

    Raises pyvips.Error for damage of any kind, or OSError if the file cannot be read.
    """
    layout = picture.layout
    keep = [*range(layout.colors), *(() if layout.alpha is None else (layout.alpha,))]
    loaded = [_Loaded(file, picture, plane) for plane in _planes(layout, keep)]
    try:
        for top in range(0, layout.height, rows):
            size = min(rows, layout.height - top)
            if layout.subsampling != (1, 1):
                yield top, _from_data_units(loaded[0], layout, top, size)
            elif layout.separate:
                yield top, np.concatenate([one.rows(top, size) for one in loaded], axis=-1)
            else:
                yield top, _kept(loaded[0].rows(top, size), layout, keep)
    except pyvips.Error as error:
        for one in loaded:
            if one.file.error:
                raise one.file.error from error
        raise


def _planes(layout: PictureLayout, keep: list[int]) -> list[PictureLayout]:
    """Return the pictures that libvips decodes: one, or one per channel if planes are separate."""
    if not layout.separate:
        return [
            replace(layout.as_data_units, photometric=RGB) if layout.mode == "ycbcr" else layout.as_data_units
        ]
    count = layout.segments_per_plane
    return [
        replace(
            layout,
            channels=1,
            photometric=layout.photometric if layout.colors == 1 and channel == 0 else GRAY,
            extras=(),
            separate=False,
            offsets=layout.offsets[channel * count : (channel + 1) * count],
            counts=layout.counts[channel * count : (channel + 1) * count],
        )
        for channel in keep
    ]


def _kept(samples: Gray, layout: PictureLayout, keep: list[int]) -> Gray:
    """Return samples without the channels that are not kept; libvips makes three bands of a color palette."""
    grown = samples.shape[-1] - layout.channels
    if len(keep) == layout.channels:
        return samples
    return samples[..., [*range(1 + grown), *(i + grown for i in keep[1:])]]


class _Loaded:
    """A picture that libvips reads once, top to bottom, through our header."""

    def __init__(self, file: BufferedReader, picture: TiffPicture, layout: PictureLayout) -> None:
        prefix = _header(picture, layout)
        self.file = PatchedFile(file, [prefix, (0, picture.tiff.size)])
        self._source = vips_source(self.file)  # must live as long as the image
        # libtiff warns of old LZW codes; damage in them is still an error.
        fatal = "error" if picture.old_lzw else "warning"
        self._image: Any = pyvips.Operation.call(
            "tiffload_source", self._source, access="sequential", fail_on=fatal
        )
        self._region = pyvips.Region.new(self._image)
        self._dtype = np.uint16 if self._image.format == "ushort" else np.uint8

    def rows(self, top: int, size: int) -> Gray:
        """Return the rows (size, W, bands) from `top` on."""
        width = int(self._image.width)
        samples: Gray = np.frombuffer(self._region.fetch(0, top, width, size), self._dtype)
        return samples.reshape(size, width, int(self._image.bands))


def _from_data_units(loaded: _Loaded, layout: PictureLayout, top: int, size: int) -> Gray:
    """Return rows (size, W, 3) of YCbCr, chroma repeated, from rows of data units."""
    across, down = layout.subsampling
    first, last = top // down, -(-(top + size) // down)
    units = loaded.rows(first, last - first)[..., 0].reshape(last - first, -1, across * down + 2)
    y = (
        units[..., :-2]
        .reshape(*units.shape[:2], down, across)
        .swapaxes(1, 2)
        .reshape((last - first) * down, -1)
    )
    chroma = units[..., -2:].repeat(down, axis=0).repeat(across, axis=1)
    whole = np.concatenate((y[..., None], chroma), axis=-1)
    begin = top - first * down
    return np.ascontiguousarray(whole[begin : begin + size, : layout.width])


def _header(picture: TiffPicture, layout: PictureLayout) -> bytes:
    """Return a BigTIFF header with one directory; the whole original file follows it."""
    directory = picture.directory
    order = directory.file.order
    fields: dict[int, tuple[int, int, bytes]] = {}

    def put(tag: int, kind: int, values: "list[int] | npt.NDArray[np.int64]") -> None:
        code = {_SHORT: "u2", _LONG: "u4", _LONG8: "u8"}[kind]
        raw = np.asarray(values, np.dtype(code).newbyteorder(order)).tobytes()
        fields[tag] = (kind, len(values), raw)

    put(TagCode.IMAGE_WIDTH, _LONG, [layout.width])
    put(TagCode.IMAGE_LENGTH, _LONG, [layout.height])
    put(TagCode.BITS_PER_SAMPLE, _SHORT, [layout.bits] * layout.channels)
    put(TagCode.COMPRESSION, _SHORT, [layout.compression])
    put(TagCode.PHOTOMETRIC_INTERPRETATION, _SHORT, [layout.photometric])
    put(TagCode.SAMPLES_PER_PIXEL, _SHORT, [layout.channels])
    put(TagCode.PLANAR_CONFIGURATION, _SHORT, [1])
    if layout.tile:
        put(TagCode.TILE_WIDTH, _LONG, [layout.tile[0]])
        put(TagCode.TILE_LENGTH, _LONG, [layout.tile[1]])
    else:
        put(TagCode.ROWS_PER_STRIP, _LONG, [layout.rows])
    if layout.extras:
        put(TagCode.EXTRA_SAMPLES, _SHORT, [UNSPECIFIED] * len(layout.extras))
    if directory.integer(TagCode.FILL_ORDER, 1) == 2:
        put(TagCode.FILL_ORDER, _SHORT, [2])
    if layout.compression in PREDICTED and (predictor := directory.integer(TagCode.PREDICTOR, 1)) > 1:
        put(TagCode.PREDICTOR, _SHORT, [predictor])
    for tag in _FAX_OPTIONS:
        if layout.compression in {3, 4} and tag in directory.fields:
            put(tag, _LONG, [directory.integer(tag, 0)])
    if layout.photometric == PALETTE and (palette := directory.integers(TagCode.COLOR_MAP)) is not None:
        put(TagCode.COLOR_MAP, _SHORT, palette)
    if layout.compression == JPEG:
        if tables := directory.raw(TagCode.JPEG_TABLES):
            fields[TagCode.JPEG_TABLES] = (_UNDEFINED, len(tables), tables)
        if layout.photometric == YCBCR:
            put(TagCode.YCBCR_SUBSAMPLING, _SHORT, list(picture.jpeg_subsampling))
    tags = (
        (TagCode.STRIP_OFFSETS, TagCode.STRIP_BYTE_COUNTS)
        if layout.tile is None
        else (TagCode.TILE_OFFSETS, TagCode.TILE_BYTE_COUNTS)
    )
    for tag in tags:  # placeholder: the offsets depend on the length of this header
        put(tag, _LONG8, layout.counts)
    size = len(_encoded_header(order, fields))
    put(tags[0], _LONG8, layout.offsets + size)
    return _encoded_header(order, fields)


def _encoded_header(order: str, fields: dict[int, tuple[int, int, bytes]]) -> bytes:
    """Return header, directory and values; their length is a multiple of 16."""
    entries, values = [], bytearray()
    begin = 16 + 8 + 20 * len(fields) + 8
    for tag, (kind, count, raw) in sorted(fields.items()):
        head = struct.pack(order + "HHQ", tag, kind, count)
        if len(raw) <= 8:
            entries.append(head + raw.ljust(8, b"\0"))
        else:
            entries.append(head + struct.pack(order + "Q", begin + len(values)))
            values += raw + bytes(-len(raw) % 8)
    mark = (b"II" if order == "<" else b"MM") + struct.pack(order + "HHHQ", 43, 8, 0, 16)
    head = mark + struct.pack(order + "Q", len(fields)) + b"".join(entries) + bytes(8) + values
    return head + bytes(-len(head) % 16)
