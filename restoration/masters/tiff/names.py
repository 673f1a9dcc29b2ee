"""Names of TIFF tags, color spaces and compressions for messages."""

from collections.abc import Mapping
from typing import Final

from PIL import TiffTags

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
