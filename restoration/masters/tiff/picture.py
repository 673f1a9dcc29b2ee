"""The picture of a TIFF: which of its directories holds it, and whether it can be restored."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from restoration.errors import MasterUnavailable, UnsupportedImage
from restoration.masters.jpeg import markers
from restoration.masters.refusals import RECOMPRESS, camera_raw, truncated, unsupported
from restoration.masters.safe_open import require_storage
from restoration.masters.tiff.directory import MAX_DIRECTORIES, Directory, NoDirectory, TiffFile, open_tiff
from restoration.masters.tiff.layout import JPEG, LZW, OLD_JPEG, YCBCR, PictureLayout
from restoration.masters.tiff.layout_reader import read_layout
from restoration.masters.tiff.names import TagCode, compression_name

_LIBVIPS_COMPRESSIONS: Final = frozenset({1, 2, 3, 4, 5, 7, 8, 32773, 32946})
"""None, CCITT, LZW, JPEG, Deflate, PackBits."""
_SECOND_DECODER_COMPRESSIONS: Final = frozenset({34925, 50000, 50001, 33003, 33005, 34712, 34933, 50002})
"""LZMA, ZSTD, WebP, JPEG 2000, PNG, JPEG XL."""

_REDUCED, _MASK = 1, 4
"""Bits of NewSubfileType (tag 254)."""
_OLD_REDUCED: Final = 2
"""Value of SubfileType (tag 255)."""
_JPEG_HEADER: Final = 1 << 16
_CAMERA_SAMPLES: Final = frozenset({32803, 34892})
_CAMERA_COMPRESSIONS: Final = frozenset({32767, 32769, 34713, 65535})
_EXPORT_FULL: Final = "export the full picture as an 8- or 16-bit gray or RGB TIFF"


@dataclass(frozen=True, slots=True)
class TiffPicture:
    """The picture of a file, or another page of it."""

    tiff: TiffFile
    page: int
    """Index in the chain of directories."""
    layout: PictureLayout
    copies: tuple[int, ...] = ()
    """Pages that are reduced copies by their size or flag; their pixels must confirm it."""
    old_lzw: bool = False
    """True if its LZW codes have the bit order from before TIFF 5.0."""
    jpeg_subsampling: tuple[int, int] = (2, 2)
    """Luma samples across and down that share a chroma sample, by its JPEG data."""

    @property
    def directory(self) -> Directory:
        """The directory of the picture."""
        return self.tiff.directories[self.page]

    def is_flagged(self, page: int) -> bool:
        """Return whether the header calls a page a reduced copy."""
        return _is_flagged(self.tiff.directories[page])

    def is_clearly_smaller(self, page: int) -> bool:
        """Return whether a page has at most half the width and half the height of the picture."""
        size, main = _size(self.tiff.directories[page]), (self.layout.width, self.layout.height)
        return all(2 * side <= whole for side, whole in zip(size, main, strict=True))


def find_picture(file: io.BufferedReader, path: Path, size: int) -> TiffPicture:
    """Return the only picture in an open TIFF of `size` bytes.

    Raises TruncatedImage, UnsupportedImage or MasterUnavailable.
    """
    with readable_directories(path):
        tiff = open_tiff(file, size)
        _refuse_camera_raw(tiff, path)
        page, copies = _main_page(tiff, path)
        return _picture(tiff, page, copies, path)


def open_page(picture: TiffPicture, page: int, path: Path) -> TiffPicture:
    """Return another page of the same file. Raises as `find_picture`, or NoDirectory or OSError."""
    tiff = replace(picture.tiff, notes=[])  # notes about other pages are not about the picture
    return _picture(tiff, page, (), path)


@contextmanager
def readable_directories(path: Path) -> Iterator[None]:
    """Turn NoDirectory into TruncatedImage, and OSError into MasterUnavailable."""
    try:
        yield
    except NoDirectory as error:
        raise truncated(
            path, f"its TIFF header is cut off or damaged: its directory cannot be read ({error})"
        ) from error
    except OSError as error:
        require_storage(error, path)
        raise MasterUnavailable(
            reason=f"it cannot be read ({error.strerror})",
            remedy="check the disk or the share; work continues automatically",
            path=path,
        ) from error


def several_pictures(count: int, path: Path) -> UnsupportedImage:
    """Return the error for a file with more than one picture."""
    return unsupported(
        path,
        f"it holds {count} pictures",
        "split it into one file per picture, each an 8- or 16-bit gray or RGB TIFF",
    )


def needs_second_decoder(layout: PictureLayout) -> bool:
    """Return whether libvips has no decoder for the compression."""
    return layout.compression not in _LIBVIPS_COMPRESSIONS


def _picture(tiff: TiffFile, page: int, copies: tuple[int, ...], path: Path) -> TiffPicture:
    directory = tiff.directories[page]
    layout = read_layout(directory, path)
    _require_decoder(layout, path)
    old, subsampling = _is_old_lzw(tiff, layout), _jpeg_subsampling(directory, layout)
    return TiffPicture(tiff, page, layout, copies, old, subsampling)


def _require_decoder(layout: PictureLayout, path: Path) -> None:
    compression = layout.compression
    supported = _LIBVIPS_COMPRESSIONS | _SECOND_DECODER_COMPRESSIONS
    if compression == OLD_JPEG or compression not in supported:
        raise unsupported(
            path, f"its compression is not supported: {compression_name(compression)}", RECOMPRESS
        )
    if compression == JPEG and layout.bits != 8:
        raise unsupported(
            path,
            f"its JPEG compression has {layout.bits} bits per sample; only 8 are supported",
            "convert it to a 16-bit TIFF with LZW, Deflate or no compression",
        )


def _is_old_lzw(tiff: TiffFile, layout: PictureLayout) -> bool:
    """Return whether every strip begins with a clear code of 9 bits, least significant bit first."""
    if layout.compression != LZW:
        return False
    starts = (tiff.bytes_at(offset, 2) for offset in layout.offsets.tolist())
    old = all(len(two) == 2 and two[0] == 0 and two[1] & 1 for two in starts)
    if old:
        tiff.note("TIFF: LZW codes of the old style, from before TIFF 5.0")
    return old


def _jpeg_subsampling(directory: Directory, layout: PictureLayout) -> tuple[int, int]:
    """Return the subsampling of the first strip or tile; note it if the header differs."""
    values = directory.integers(TagCode.YCBCR_SUBSAMPLING, 2)
    by_header = (2, 2) if values is None or len(values) < 2 else (int(values[0]), int(values[1]))
    if layout.compression != JPEG or layout.photometric != YCBCR:
        return by_header
    first = io.BytesIO(directory.file.bytes_at(int(layout.offsets[0]), _JPEG_HEADER))
    frame = markers.find_frame(markers.read_segments(first))
    if frame is None or not frame.components or by_header == (by_data := frame.components[0][1:]):
        return by_header
    directory.file.note("TIFF: YCbCrSubSampling is not that of its JPEG data, which is used")
    return by_data


def _main_page(tiff: TiffFile, path: Path) -> tuple[int, tuple[int, ...]]:
    """Return the page that is the picture, and the pages that seem to be reduced copies of it."""
    directories = tiff.directories
    if len(directories) > MAX_DIRECTORIES:
        raise unsupported(path, f"it has more than {MAX_DIRECTORIES:,} directories")
    pages = [i for i, one in enumerate(directories) if not _is_flagged(one)]
    if not pages:
        raise unsupported(path, "its header says that it holds only a preview of the picture", _EXPORT_FULL)
    sizes = {i: _size(directories[i]) for i in pages}
    main = max(pages, key=lambda i: (sizes[i][0] * sizes[i][1], -i))
    width, height = sizes[main]
    if any(one[0] * one[1] > width * height for one in map(_size, _sub_directories(directories[main]))):
        raise unsupported(
            path,
            "its page is only a preview: the picture is in a directory below it (SubIFD)",
            _EXPORT_FULL,
        )
    others = tuple(i for i in pages if i != main)
    if any(not _could_be_a_copy(sizes[i], sizes[main]) for i in others):
        raise several_pictures(len(pages), path)
    flagged = tuple(
        i
        for i, one in enumerate(directories)
        if _is_flagged(one) and not one.integer(TagCode.NEW_SUBFILE_TYPE, 0) & _MASK
    )
    too_large = [
        i for i in flagged if not all(a < b for a, b in zip(_size(directories[i]), sizes[main], strict=True))
    ]
    if too_large:
        raise several_pictures(len(pages) + len(too_large), path)
    return main, others + flagged


def _size(directory: Directory) -> tuple[int, int]:
    return directory.integer(TagCode.IMAGE_WIDTH, 0), directory.integer(TagCode.IMAGE_LENGTH, 0)


def _is_flagged(directory: Directory) -> bool:
    if TagCode.NEW_SUBFILE_TYPE not in directory.fields:
        return directory.integer(TagCode.SUBFILE_TYPE, 1) == _OLD_REDUCED
    return bool(directory.integer(TagCode.NEW_SUBFILE_TYPE, 0) & (_REDUCED | _MASK))


def _could_be_a_copy(size: tuple[int, int], main: tuple[int, int]) -> bool:
    """Return whether a page is smaller than the picture and has its aspect ratio, within a pixel or 5 %."""
    if min(*size, *main) < 1 or size[0] >= main[0] or size[1] >= main[1]:
        return False
    expected = size[0] * main[1] / main[0]
    return abs(expected - size[1]) <= max(1.0, 0.05 * expected)


def _refuse_camera_raw(tiff: TiffFile, path: Path) -> None:
    name = None
    if tiff.bytes_at(8, 2) == b"CR":
        name = "CR2"
    for one in tiff.directories[:10]:
        if TagCode.DNG_VERSION in one.fields:
            name = "DNG"
        elif any(map(_is_from_camera, (one, *_sub_directories(one)))):
            name = name or path.suffix[1:].upper() or "raw"
    if name:
        raise camera_raw(path, name)


def _is_from_camera(directory: Directory) -> bool:
    return (
        directory.integer(TagCode.PHOTOMETRIC_INTERPRETATION, 0) in _CAMERA_SAMPLES
        or directory.integer(TagCode.COMPRESSION, 1) in _CAMERA_COMPRESSIONS
    )


def _sub_directories(directory: Directory) -> list[Directory]:
    offsets = directory.integers(TagCode.SUB_IFDS, 10)
    found, quiet = [], replace(directory.file, notes=[])
    for offset in () if offsets is None else offsets.tolist():
        try:
            found.append(quiet.directory(offset)[0])
        except NoDirectory:
            continue
    return found
