"""How painted strips become a file: TIFF, PNG or JPEG, streamed, with profile, resolution and disclosure."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyvips
from PIL import Image

from restoration import png, tiff
from restoration.disclosure import STATEMENTS
from restoration.facts import ScanFacts
from restoration.jpeg import JpegStream
from restoration.metadata import MasterMetadata
from restoration.painting import Canvas, Painting, as_it_is
from restoration.recipe import OutputFormat, Recipe

_PNG_LEVEL: Final = 4
_EXIF_PREFIX: Final = b"Exif\0\0"


@dataclass(frozen=True, slots=True)
class Label:
    """What is written beside the pixels."""

    xmp: bytes
    dpi: tuple[float, float] | None
    """Along width and height of the upright picture."""
    software: str
    master: MasterMetadata
    profile: bytes
    """ICC profile of the samples."""


def bit_depth(facts: ScanFacts, recipe: Recipe) -> int:
    """Return the bits a sample of the derivative: the master's own, 8 for JPEG."""
    return 8 if recipe.format is OutputFormat.JPEG else facts.depth


def canvas_of(facts: ScanFacts, recipe: Recipe) -> Canvas:
    """Return what the samples of the derivative of a master are."""
    width, height = facts.upright_size
    return Canvas(width, height, 3 + (facts.alpha and recipe.format.lossless), bit_depth(facts, recipe))


def write(path: Path, painting: Painting, recipe: Recipe, label: Label) -> tiff.Proof | None:
    """Paint a scan and write one derivative to `path`.

    Return what proves a TIFF, whose luminance was compared piece by piece; None for a format that is yet to
    be read back. Raises OSError, LumaMismatch.
    """
    if recipe.format is OutputFormat.TIFF:
        return tiff.write(path, painting, _tiff_tags(label), pyramid=recipe.pyramid)
    writer = _write_png if recipe.format is OutputFormat.PNG else _write_jpeg
    writer(path, painting, recipe, label)
    return None


def srgb_profile() -> bytes:
    """Return the sRGB profile of libvips: a matrix and a curve, right for any depth."""
    return bytes(pyvips.Operation.call("profile_load", "srgb"))


def _tiff_tags(label: Label) -> tiff.Tags:
    extra: list[tuple[int, int, int, object, bool]] = [
        (274, 3, 1, 1, True),
        (700, 1, len(label.xmp), label.xmp, True),
    ]
    for code, name in ((315, "dc:creator"), (33432, "dc:rights")):
        if texts := label.master.fields.get(name):
            extra.append((code, 2, 0, "; ".join(texts).encode() + b"\0", True))
    return {
        "iccprofile": label.profile,
        "resolution": label.dpi,
        "resolutionunit": "INCH" if label.dpi else None,
        "software": label.software,
        "description": _description(label.master).encode(),
        "extratags": extra,
    }


def _write_png(path: Path, painting: Painting, recipe: Recipe, label: Label) -> None:
    del recipe
    chunks = [
        png.icc_chunk(label.profile, "sRGB" if label.profile == srgb_profile() else "Saek RGB"),
        png.exif_chunk(_exif(label)),
    ]
    if label.dpi:
        chunks.append(png.resolution_chunk(label.dpi))
    chunks.append(png.xmp_chunk(label.xmp))
    with path.open("wb") as file:
        stream = png.PngStream(
            file.write, painting.canvas.width, painting.canvas.height, chunks=chunks, level=_PNG_LEVEL
        )
        for painted in painting.each(as_it_is):
            stream.add(painted.samples)
        stream.close()


def _write_jpeg(path: Path, painting: Painting, recipe: Recipe, label: Label) -> None:
    blobs = {"exif-data": _EXIF_PREFIX + _exif(label), "xmp-data": label.xmp}
    with JpegStream(
        path,
        painting.canvas.width,
        painting.canvas.height,
        quality=recipe.quality,
        profile=label.profile,
        dpi=label.dpi,
        blobs=blobs,
    ) as stream:
        for painted in painting.each(as_it_is):
            stream.add(painted.samples)


def _exif(label: Label) -> bytes:
    """Return EXIF in its TIFF form: upright, described, with the master's creator, rights and date."""
    exif = Image.Exif()
    exif[274] = 1
    exif[270] = _description(label.master)
    exif[305] = label.software
    for code, name in ((315, "dc:creator"), (33432, "dc:rights")):
        if texts := label.master.fields.get(name):
            exif[code] = "; ".join(texts)
    if texts := label.master.fields.get("exif:DateTimeOriginal"):
        exif.get_ifd(34665)[36867] = texts[0]
    return exif.tobytes().removeprefix(_EXIF_PREFIX)


def _description(master: MasterMetadata) -> str:
    caption = master.fields.get("dc:description", ("",))[0]
    return f"{STATEMENTS['en']} | {caption}" if caption else STATEMENTS["en"]
