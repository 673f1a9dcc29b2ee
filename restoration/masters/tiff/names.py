"""TIFF tags by name, and names of tags, color spaces and compressions for messages."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from PIL import TiffTags


class TagCode(IntEnum):
    """Codes of the tags of TIFF 6.0 and its extensions that decoding uses."""

    NEW_SUBFILE_TYPE = 254
    SUBFILE_TYPE = 255
    IMAGE_WIDTH = 256
    IMAGE_LENGTH = 257
    BITS_PER_SAMPLE = 258
    COMPRESSION = 259
    PHOTOMETRIC_INTERPRETATION = 262
    FILL_ORDER = 266
    STRIP_OFFSETS = 273
    ORIENTATION = 274
    SAMPLES_PER_PIXEL = 277
    ROWS_PER_STRIP = 278
    STRIP_BYTE_COUNTS = 279
    X_RESOLUTION = 282
    Y_RESOLUTION = 283
    PLANAR_CONFIGURATION = 284
    T4_OPTIONS = 292
    T6_OPTIONS = 293
    RESOLUTION_UNIT = 296
    PREDICTOR = 317
    COLOR_MAP = 320
    TILE_WIDTH = 322
    TILE_LENGTH = 323
    TILE_OFFSETS = 324
    TILE_BYTE_COUNTS = 325
    SUB_IFDS = 330
    EXTRA_SAMPLES = 338
    SAMPLE_FORMAT = 339
    JPEG_TABLES = 347
    YCBCR_SUBSAMPLING = 530
    REFERENCE_BLACK_WHITE = 532
    IMAGE_DEPTH = 32997
    ICC_PROFILE = 34675
    DNG_VERSION = 50706


COLOR_SPACES: Final[Mapping[int, str]] = {
    4: "a transparency mask",
    5: "CMYK",
    8: "CIE L*a*b*",
    9: "ICC L*a*b*",
    10: "ITU L*a*b*",
    32803: "the color filter array of a camera",
    32844: "LogL",
    32845: "LogLuv",
    34892: "the linear samples of a camera",
    51177: "a depth map",
}
COMPRESSIONS: Final[Mapping[int, str]] = {
    6: "old-style JPEG",
    9: "JBIG",
    10: "JBIG",
    32766: "NeXT",
    32767: "Sony ARW",
    32769: "packed samples",
    32771: "CCITT RLE with word alignment",
    32809: "ThunderScan",
    33003: "JPEG 2000",
    33004: "JPEG 2000",
    33005: "JPEG 2000",
    33007: "lossy JPEG",
    34661: "JBIG",
    34676: "SGI LogLuv",
    34677: "SGI LogLuv 24",
    34712: "JPEG 2000",
    34713: "Nikon NEF",
    34887: "LERC",
    34892: "lossy JPEG",
    34925: "LZMA",
    34933: "PNG",
    34934: "JPEG XR",
    50000: "ZSTD",
    50001: "WebP",
    50002: "JPEG XL",
    52546: "JPEG XL",
    65535: "Pentax PEF",
}


def tag_name(tag: int) -> str:
    """Return the number of a tag with its name, if it is known: `270 (ImageDescription)`."""
    known = TiffTags.TAGS_V2.get(tag)
    return f"{tag} ({known.name})" if known else str(tag)


def color_space_name(photometric: int) -> str:
    """Return the name of a photometric interpretation."""
    return COLOR_SPACES.get(photometric, f"unknown (photometric interpretation {photometric})")


def compression_name(compression: int) -> str:
    """Return the name of a compression."""
    return COMPRESSIONS.get(compression, f"unknown (number {compression})")
