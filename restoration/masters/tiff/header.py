"""Which picture of a TIFF is the picture, what it is, and whether it can be restored."""

import hashlib
import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import tifffile

from restoration.errors import MasterUnavailable, TruncatedImage, UnsupportedImage
from restoration.masters.facts import ScanFacts
from restoration.masters.jpeg import markers
from restoration.masters.safe_open import require_storage
from restoration.masters.tiff.directory import MOST_DIRECTORIES, Directory, NoDirectory, TiffFile, open_tiff
from restoration.masters.tiff.layout import (
    ASSOCIATED,
    JPEG,
    LZW,
    OLD_JPEG,
    PALETTE,
    YCBCR,
    PictureLayout,
    read_layout,
    unsupported,
)
from restoration.masters.tiff.names import compression_name

TIFFFILE_ERRORS: Final = (
    tifffile.TiffFileError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    ZeroDivisionError,
    OverflowError,
    RuntimeError,
    MemoryError,
    struct.error,
    OSError,
)
"""What tifffile lets escape on malformed files."""

LIBVIPS_COMPRESSIONS: Final = frozenset({1, 2, 3, 4, 5, 7, 8, 32773, 32946})
"""None, CCITT, LZW, JPEG, Deflate, PackBits."""
_OTHER_COMPRESSIONS: Final = frozenset({34925, 50000, 50001, 33003, 33005, 34712, 34933, 50002})
"""LZMA, ZSTD, WebP, JPEG 2000, PNG, JPEG XL: the second decoder reads them."""

_REDUCED, _MASK = 1, 4
_OLD_REDUCED = 2
_SUBSAMPLING, _REFERENCE = 530, 532
_WHITE = 255
_JPEG_HEADER: Final = 1 << 16
_SUB_DIRECTORIES, _DNG_VERSION = 330, 50706
_CAMERA_SAMPLES: Final = frozenset({32803, 34892})
_CAMERA_COMPRESSIONS: Final = frozenset({32767, 32769, 34713, 65535})
_ICC = 34675
_CENTIMETER, _INCH = 3, 2
_MOST_DPI = 1_000_000


@dataclass(frozen=True, slots=True)
class TiffPicture:
    """The picture of a file."""

    tiff: TiffFile
    page: int
    """Its place in the chain of directories."""
    layout: PictureLayout
    copies: tuple[int, ...] = ()
    """Pages that are reduced copies of it by their size or flag: their pixels must say so, too."""
    old_lzw: bool = False
    """Whether its LZW codes are those of before TIFF 5.0."""
    jpeg_subsampling: tuple[int, int] = (2, 2)
    """Luma samples across and down that share a chroma sample, as its JPEG data say."""

    @property
    def directory(self) -> Directory:
        """That of the picture."""
        return self.tiff.directories[self.page]

    def is_flagged(self, page: int) -> bool:
        """Whether the header calls a page a reduced copy."""
        return _is_flagged(self.tiff.directories[page])

    def is_clearly_smaller(self, page: int) -> bool:
        """Whether a page has at most half the width and half the height of the picture."""
        one = self.tiff.directories[page]
        size, main = (one.integer(256, 0), one.integer(257, 0)), (self.layout.width, self.layout.height)
        return all(2 * side <= whole for side, whole in zip(size, main, strict=True))


def find_picture(file: io.BufferedReader, path: Path, size: int) -> TiffPicture:
    """Return the only picture in an open TIFF of `size` bytes.

    Raises TruncatedImage, UnsupportedImage or MasterUnavailable.
    """
    with _readable(path):
        tiff = open_tiff(file, size)
        _refuse_camera_raw(tiff, path)
        page, copies = _main(tiff, path)
        return _chosen(tiff, page, copies, path)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Tell what is wrong with a file whose directory or values cannot be read."""
    try:
        yield
    except NoDirectory as error:
        raise TruncatedImage(
            reason=f"its TIFF header is cut off or damaged: its directory cannot be read ({error})",
            remedy="copy or scan it again",
            path=path,
        ) from error
    except OSError as error:
        require_storage(error, path)
        raise MasterUnavailable(
            reason=f"it cannot be read ({error.strerror})",
            remedy="check the disk or the share; work goes on by itself",
            path=path,
        ) from error


def open_page(chosen: TiffPicture, page: int, path: Path) -> TiffPicture:
    """Return another page of the same file. Raises as `find_picture`, or NoDirectory or OSError."""
    tiff = replace(chosen.tiff, notes=[])  # what is odd about it is no matter of the picture's
    return _chosen(tiff, page, (), path)


def picture_facts(chosen: TiffPicture) -> ScanFacts:
    """Return the facts of a page. Raises NoDirectory or OSError."""
    return _facts(chosen, chosen.tiff.size)


def _chosen(tiff: TiffFile, page: int, copies: tuple[int, ...], path: Path) -> TiffPicture:
    layout = read_layout(tiff.directories[page], path)
    _require_decoder(layout, path)
    directory = tiff.directories[page]
    old, subsampling = _is_old_lzw(tiff, layout), _jpeg_subsampling(directory, layout)
    return TiffPicture(tiff, page, layout, copies, old, subsampling)


def _jpeg_subsampling(directory: Directory, layout: PictureLayout) -> tuple[int, int]:
    """Return what the first strip or tile says, and note it if the header says otherwise."""
    told = directory.integers(_SUBSAMPLING, 2)
    header = (2, 2) if told is None or len(told) < 2 else (int(told[0]), int(told[1]))
    if layout.compression != JPEG or layout.photometric != YCBCR:
        return header
    first = io.BytesIO(directory.file.bytes_at(int(layout.offsets[0]), _JPEG_HEADER))
    frame = markers.find_frame(markers.read_segments(first))
    if frame is None or not frame.components or header == (found := frame.components[0][1:]):
        return header
    directory.file.note("TIFF: YCbCrSubSampling is not that of its JPEG data, which holds")
    return found


def _is_old_lzw(tiff: TiffFile, layout: PictureLayout) -> bool:
    """Whether every strip begins with a clear code of 9 bits, least significant bit first."""
    if layout.compression != LZW:
        return False
    begins = (tiff.bytes_at(offset, 2) for offset in layout.offsets.tolist())
    old = all(len(two) == 2 and two[0] == 0 and two[1] & 1 for two in begins)
    if old:
        tiff.note("TIFF: LZW codes of the old style, from before TIFF 5.0")
    return old


def read_facts(file: io.BufferedReader, path: Path, size: int) -> ScanFacts:
    """Return the facts of the only picture in an open TIFF of `size` bytes; raises as `find_picture`."""
    chosen = find_picture(file, path, size)
    with _readable(path):
        return _facts(chosen, size)


def icc_profile(file: io.BufferedReader, path: Path, size: int) -> bytes | None:
    """Return the ICC profile of the picture; raises as `find_picture`."""
    chosen = find_picture(file, path, size)
    with _readable(path):
        return chosen.directory.raw(_ICC)


def _facts(chosen: TiffPicture, size: int) -> ScanFacts:
    layout, directory, tiff = chosen.layout, chosen.directory, chosen.tiff
    if chosen.page:
        tiff.note(f"TIFF: the picture is on page {chosen.page + 1}; the pages before it are only previews")
    kept = layout.colors + (layout.alpha is not None)
    if dropped := layout.channels - kept:
        channels = "channel" if dropped == 1 else "channels"
        tiff.note(f"TIFF: {dropped} extra {channels} of unspecified meaning dropped (not transparency)")
    icc = directory.raw(_ICC)
    orientation = directory.integer(274, 1)
    dpi = _dpi(directory)  # before the notes are taken
    if layout.mode == "ycbcr" and not _is_full_range(directory):
        tiff.note("TIFF: its YCbCr has black and white of its own (ReferenceBlackWhite); Y stays as it is")
    alpha = layout.alpha
    return ScanFacts(
        format="tiff",
        width=layout.width,
        height=layout.height,
        bands=(3 if layout.photometric == PALETTE else layout.colors) + (alpha is not None),
        bit_depth=layout.bits,
        mode=layout.mode,
        alpha=alpha is not None,
        orientation=orientation if orientation in range(1, 9) else 1,
        pages=1,
        icc_sha256=hashlib.sha256(icc).hexdigest() if icc else None,
        dpi=dpi,
        file_bytes=size,
        alpha_associated=alpha is not None and layout.extras[alpha - layout.colors] == ASSOCIATED,
        page=chosen.page,
        notes=tuple(tiff.notes),
    )


def _main(tiff: TiffFile, path: Path) -> tuple[int, tuple[int, ...]]:
    """Return the page that is the picture, and those that look like reduced copies of it."""
    directories = tiff.directories
    if len(directories) > MOST_DIRECTORIES:
        raise unsupported(path, f"it has more than {MOST_DIRECTORIES:,} directories")
    pages = [i for i, one in enumerate(directories) if not _is_flagged(one)]
    if not pages:
        raise unsupported(
            path,
            "its header says that it holds only a preview of the picture",
            "export the full picture as an 8- or 16-bit gray or RGB TIFF",
        )
    sizes = {i: (directories[i].integer(256, 0), directories[i].integer(257, 0)) for i in pages}
    main = max(pages, key=lambda i: (sizes[i][0] * sizes[i][1], -i))
    _refuse_larger_below(directories[main], path)
    others = tuple(i for i in pages if i != main)
    if any(not _could_be_a_copy(sizes[i], sizes[main]) for i in others):
        raise several_pictures(len(pages), path)
    flagged = tuple(i for i, one in enumerate(directories) if _is_flagged(one) and not _is_mask(one))
    as_large = [i for i in flagged if not _is_smaller(directories[i], directories[main])]
    if as_large:
        raise several_pictures(len(pages) + len(as_large), path)
    return main, others + flagged


def _refuse_larger_below(main: Directory, path: Path) -> None:
    """Raise UnsupportedImage if a directory below the picture's own (SubIFD) holds a larger one."""
    pixels = main.integer(256, 0) * main.integer(257, 0)
    if any(one.integer(256, 0) * one.integer(257, 0) > pixels for one in _below(main)):
        raise unsupported(
            path,
            "its page is only a preview: the picture lies in a directory below it (SubIFD)",
            "export the full picture as an 8- or 16-bit gray or RGB TIFF",
        )


def several_pictures(pictures: int, path: Path) -> UnsupportedImage:
    """Return the error for a file with more than one picture."""
    return unsupported(
        path,
        f"it holds {pictures} pictures",
        "split it into one file a picture, each an 8- or 16-bit gray or RGB TIFF",
    )


def _is_flagged(directory: Directory) -> bool:
    if 254 not in directory.fields:
        return directory.integer(255, 1) == _OLD_REDUCED
    return bool(directory.integer(254, 0) & (_REDUCED | _MASK))


def _is_mask(directory: Directory) -> bool:
    return bool(directory.integer(254, 0) & _MASK)


def _is_smaller(one: Directory, other: Directory) -> bool:
    return all(one.integer(tag, 0) < other.integer(tag, 0) for tag in (256, 257))


def _could_be_a_copy(size: tuple[int, int], main: tuple[int, int]) -> bool:
    """Whether a page is smaller than the picture and of its aspect, within a pixel or 5 %."""
    if min(*size, *main) < 1 or size[0] >= main[0] or size[1] >= main[1]:
        return False
    expected = size[0] * main[1] / main[0]
    return abs(expected - size[1]) <= max(1.0, 0.05 * expected)


def _refuse_camera_raw(tiff: TiffFile, path: Path) -> None:
    name = None
    if tiff.bytes_at(8, 2) == b"CR":
        name = "CR2"
    for one in tiff.directories[:10]:
        if _DNG_VERSION in one.fields:
            name = "DNG"
        elif _is_of_a_camera(one) or any(_is_of_a_camera(below) for below in _below(one)):
            name = name or path.suffix[1:].upper() or "raw"
    if name:
        raise unsupported(
            path,
            f"it is a camera raw file ({name})",
            "develop it in a raw converter, and export it as an 8- or 16-bit gray or RGB TIFF",
        )


def _is_of_a_camera(directory: Directory) -> bool:
    return directory.integer(262, 0) in _CAMERA_SAMPLES or directory.integer(259, 1) in _CAMERA_COMPRESSIONS


def _below(directory: Directory) -> list[Directory]:
    offsets = directory.integers(_SUB_DIRECTORIES, 10)
    found, quiet = [], replace(directory.file, notes=[])
    for offset in () if offsets is None else offsets.tolist():
        try:
            found.append(quiet.directory(offset)[0])
        except NoDirectory:
            continue
    return found


def _require_decoder(layout: PictureLayout, path: Path) -> None:
    compression = layout.compression
    if compression == OLD_JPEG or compression not in LIBVIPS_COMPRESSIONS | _OTHER_COMPRESSIONS:
        raise unsupported(
            path,
            f"its compression is not read: {compression_name(compression)}",
            "convert it to TIFF with LZW, Deflate or no compression",
        )
    if compression == JPEG and layout.bits != 8:
        raise unsupported(
            path,
            f"its JPEG compression has {layout.bits} bits a sample; 8 are read",
            "convert it to a 16-bit TIFF with LZW, Deflate or no compression",
        )


def needs_second_decoder(layout: PictureLayout) -> bool:
    """Whether libvips lacks the decoder for the compression."""
    return layout.compression not in LIBVIPS_COMPRESSIONS


def _is_full_range(directory: Directory) -> bool:
    """Whether black is 0 and white 255 in YCbCr, as without the tag."""
    one = directory.fields.get(_REFERENCE)
    if one is None or one.count < 2:
        return True
    return directory.ratio(_REFERENCE) == 0 and directory.ratio(_REFERENCE, 1) == _WHITE


def _dpi(directory: Directory) -> tuple[float, float] | None:
    x, y, unit = directory.ratio(282), directory.ratio(283), directory.integer(296, _INCH)
    if 282 not in directory.fields or 283 not in directory.fields or unit == 1:
        return None
    if unit not in {_INCH, _CENTIMETER}:
        directory.file.note(f"TIFF: ResolutionUnit {unit} is unknown; resolution dropped")
        return None
    factor = 2.54 if unit == _CENTIMETER else 1.0
    if not x or not y or not (0 < float(x) * factor < _MOST_DPI and 0 < float(y) * factor < _MOST_DPI):
        if x or y:
            directory.file.note("TIFF: the resolution is none; dropped")
        return None
    return round(float(x) * factor, 4), round(float(y) * factor, 4)
