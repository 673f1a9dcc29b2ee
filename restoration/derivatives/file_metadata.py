"""Metadata of a derivative's file: XMP packet, resolution, texts and color profile."""

from dataclasses import dataclass
from pathlib import Path

import pyvips

from restoration.arrays.tone_curve import ToneCurve
from restoration.derivatives import xmp
from restoration.derivatives.carried_metadata import fields_outside_xmp
from restoration.derivatives.icc_profile import rgb_profile
from restoration.masters.facts import ScanFacts
from restoration.masters.metadata import embedded
from restoration.masters.metadata.embedded import MasterMetadata
from restoration.recipe import OutputFormat
from restoration.results import MetadataReport


@dataclass(frozen=True, slots=True)
class FileMetadata:
    """Metadata of the file: XMP packet, resolution, texts and color profile."""

    xmp: bytes
    dpi: tuple[float, float] | None
    """Along width and height of the upright picture."""
    software: str
    master: MasterMetadata
    profile: bytes
    """ICC profile of the samples."""


def file_metadata(
    master: Path,
    facts: ScanFacts,
    curve: ToneCurve | None,
    provenance: xmp.Provenance,
    form: OutputFormat,
) -> tuple[FileMetadata, MetadataReport]:
    """Return the metadata for a derivative of `master`, and what became of the master's own.

    `curve` is the master's tone curve, None for that of sRGB.

    Raises MasterError if the master cannot be read.
    """
    jpeg = form is OutputFormat.JPEG
    found = embedded.read_metadata(master, facts)
    limit = xmp.MAX_JPEG_BYTES if jpeg else xmp.MAX_PACKET_BYTES
    packet, report = xmp.disclosure_packet(provenance, found, limit)
    dpi = facts.dpi[::-1] if facts.dpi and facts.orientation >= 5 else facts.dpi
    profile = rgb_profile(curve, 8 if jpeg else facts.depth) if curve else srgb_profile()
    return FileMetadata(packet, dpi, provenance.software, fields_outside_xmp(found), profile), report


def srgb_profile() -> bytes:
    """Return the sRGB profile of libvips: a matrix and a curve, right for any depth."""
    return bytes(pyvips.Operation.call("profile_load", "srgb"))
