"""Writer of derivatives as TIFF, PNG or JPEG, strip by strip, with their metadata."""

from pathlib import Path
from typing import Final

from restoration.derivatives import exif, png, tiff
from restoration.derivatives.compose import Composition, ExpectedSamples, ImageSpec, SampleDigest, unchanged
from restoration.derivatives.file_metadata import FileMetadata, srgb_profile
from restoration.derivatives.jpeg import JpegStream
from restoration.derivatives.xmp import STATEMENTS
from restoration.masters.facts import ScanFacts
from restoration.masters.metadata import dates
from restoration.masters.metadata.embedded import MasterMetadata
from restoration.recipe import OutputFormat, Recipe

_PNG_LEVEL: Final = 4
_EXIF_PREFIX: Final = b"Exif\0\0"
_JPEG_TEXT_BYTES: Final = 16_000
"""Of a text in the EXIF of a JPEG: three of them fit into one segment."""
_TITLE, _DESCRIPTION, _ORIENTATION, _SOFTWARE, _ARTIST, _COPYRIGHT = 269, 270, 274, 305, 315, 33432
_PNG_KEYWORDS: Final = {
    _TITLE: "Title",
    _DESCRIPTION: "Description",
    _ARTIST: "Author",
    _COPYRIGHT: "Copyright",
}
_TAKEN, _OFFSET, _FRACTION = 36867, 36881, 37521


def bit_depth(facts: ScanFacts, recipe: Recipe) -> int:
    """Return the bits a sample of the derivative: the master's own, 8 for JPEG."""
    return 8 if recipe.format is OutputFormat.JPEG else facts.depth


def image_spec(facts: ScanFacts, recipe: Recipe) -> ImageSpec:
    """Return size and sample format of the derivative of a master."""
    width, height = facts.upright_size
    holds = recipe.format is OutputFormat.TIFF or (recipe.format.lossless and not facts.alpha_associated)
    bands = 3 + (facts.alpha and holds)
    return ImageSpec(width, height, bands, bit_depth(facts, recipe), associated=facts.alpha_associated)


def write(
    path: Path, composition: Composition, recipe: Recipe, metadata: FileMetadata
) -> ExpectedSamples | None:
    """Color a scan and write one derivative to `path`.

    Return what a lossless one must be found to hold, None for a lossy one. Raises OSError, LumaMismatch.
    """
    if recipe.format is OutputFormat.TIFF:
        return tiff.write(path, composition, _tiff_tags(metadata), pyramid=recipe.pyramid)
    if recipe.format is OutputFormat.PNG:
        return _write_png(path, composition, metadata)
    _write_jpeg(path, composition, recipe, metadata)
    return None


def _tiff_tags(metadata: FileMetadata) -> tiff.Tags:
    texts = _texts(metadata)
    extra: list[tuple[int, int, int, object, bool]] = [
        (274, 3, 1, 1, True),
        (700, 1, len(metadata.xmp), metadata.xmp, True),
    ]
    extra += [
        (code, 2, 0, exif.text_value(texts[code]), True)
        for code in (_TITLE, _ARTIST, _COPYRIGHT)
        if code in texts
    ]
    return {
        "iccprofile": metadata.profile,
        "resolution": metadata.dpi,
        "resolutionunit": "INCH" if metadata.dpi else None,
        "software": metadata.software,
        "description": exif.text_value(texts[_DESCRIPTION]).removesuffix(b"\0"),
        "extratags": extra,
    }


def _write_png(path: Path, composition: Composition, metadata: FileMetadata) -> ExpectedSamples:
    samples = SampleDigest()
    chunks = [
        png.icc_chunk(metadata.profile, "sRGB" if metadata.profile == srgb_profile() else "Saek RGB"),
        png.exif_chunk(_exif(metadata)),
    ]
    chunks += [png.text_chunk(_PNG_KEYWORDS[code], text) for code, text in _texts(metadata).items()]
    if metadata.dpi:
        chunks.append(png.resolution_chunk(metadata.dpi))
    chunks.append(png.xmp_chunk(metadata.xmp))
    with path.open("wb") as file:
        stream = png.PngStream(
            file.write, composition.spec.width, composition.spec.height, chunks=chunks, level=_PNG_LEVEL
        )
        for composed in composition.each(unchanged):
            samples.add(composed)
            stream.add(composed.samples)
        stream.close()
    return samples.expected()


def _write_jpeg(path: Path, composition: Composition, recipe: Recipe, metadata: FileMetadata) -> None:
    blobs = {"exif-data": _EXIF_PREFIX + _exif(metadata, _JPEG_TEXT_BYTES), "xmp-data": metadata.xmp}
    with JpegStream(
        path,
        composition.spec.width,
        composition.spec.height,
        quality=recipe.quality,
        profile=metadata.profile,
        dpi=metadata.dpi,
        blobs=blobs,
    ) as stream:
        for composed in composition.each(unchanged):
            stream.add(composed.samples)


def _exif(metadata: FileMetadata, most_bytes: int | None = None) -> bytes:
    """Return EXIF in its TIFF form: upright, described, with the master's creator, rights and date."""
    photograph: dict[int, str | int] = {}
    taken = metadata.master.fields.get("exif:DateTimeOriginal")
    if taken and (told := dates.to_exif(taken[0])):
        date, fraction, offset = told
        photograph = {_TAKEN: date}
        photograph |= {_FRACTION: fraction} if fraction else {}
        photograph |= {_OFFSET: offset} if offset else {}
    texts = {code: text for code, text in _texts(metadata).items() if code != _TITLE}  # a tag of TIFF only
    return exif.exif_block({_ORIENTATION: 1, _SOFTWARE: metadata.software, **texts}, photograph, most_bytes)


def _texts(metadata: FileMetadata) -> dict[int, str]:
    """Return the texts that a derivative carries outside of its XMP, too, by TIFF tag."""
    fields = metadata.master.fields
    texts = {_DESCRIPTION: _description(metadata.master)}
    for code, name in ((_TITLE, "dc:title"), (_ARTIST, "dc:creator"), (_COPYRIGHT, "dc:rights")):
        if found := fields.get(name):
            texts[code] = "; ".join(found)
    return texts


def _description(master: MasterMetadata) -> str:
    caption = master.fields.get("dc:description", ("",))[0]
    return f"{STATEMENTS['en']} | {caption}" if caption else STATEMENTS["en"]
