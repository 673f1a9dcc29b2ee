"""Report of what became of a master's technical metadata: resolution, profile, orientation, alpha, depth."""

from dataclasses import replace
from typing import Final

from restoration.derivatives.compose import ImageSpec
from restoration.masters.facts import ScanFacts
from restoration.masters.tone_profile import ToneProfile
from restoration.recipe import Recipe
from restoration.results import MetadataReport

ONE_DECODER_NOTE: Final = "Verified by one decoder only: no second one reads a picture of this kind or size"
"""Noted about a derivative that only one decoder has verified."""


def add_technical_metadata(
    report: MetadataReport,
    facts: ScanFacts,
    recipe: Recipe,
    spec: ImageSpec,
    look: ToneProfile,
    *,
    notes: tuple[str, ...],
) -> MetadataReport:
    """Return the report with the technical metadata and with `notes` on what was odd about the master."""
    carried, replaced, dropped = list(report.carried), list(report.replaced), list(report.dropped)
    if facts.dpi:
        carried.append("resolution")
    if look.origin:
        digest = f" (sha256 {facts.icc_sha256})" if facts.icc_sha256 else ""
        replaced.append(
            f"{look.origin}{digest}: {'an RGB profile with its tone curve' if look.curve else 'sRGB'}"
        )
    if facts.orientation != 1:
        replaced.append(f"orientation {facts.orientation}: applied to the pixels")
    if facts.alpha:
        kind = "associated alpha" if facts.alpha_associated else "alpha"
        why = ": PNG cannot hold it" if recipe.format.lossless else ""
        carried.append(kind) if spec.bands == 4 else dropped.append(kind + why)
    if facts.depth == 16 and not recipe.format.lossless:
        dropped.append("16-bit depth: JPEG has 8")
    return replace(
        report,
        carried=tuple(carried),
        replaced=tuple(replaced),
        dropped=tuple(dropped),
        noted=tuple(dict.fromkeys((*notes, *report.noted, *look.noted))),
    )


def note_decoders(report: MetadataReport, decoders: int) -> MetadataReport:
    """Return the report, with a note if only one decoder has verified the derivative."""
    if decoders > 1:
        return report
    return replace(report, noted=(*report.noted, ONE_DECODER_NOTE))
