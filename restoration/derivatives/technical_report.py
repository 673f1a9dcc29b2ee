"""What became of a master's technical properties, as the report of a restoration tells it."""

from dataclasses import replace
from typing import Final

from restoration.derivatives.compose import Canvas
from restoration.masters.facts import ScanFacts
from restoration.masters.tone_profile import ToneProfile
from restoration.recipe import Recipe
from restoration.results import MetadataReport

ONE_DECODER: Final = "The proof rests on one decoder: no second one reads a picture of this kind or size"
"""Noted about a derivative whose proof is weaker for it."""


def completed(
    report: MetadataReport,
    facts: ScanFacts,
    recipe: Recipe,
    canvas: Canvas,
    look: ToneProfile,
    *,
    notes: tuple[str, ...],
) -> MetadataReport:
    """Add to a report resolution, tone curve, orientation, alpha and depth, and what was odd: `notes`."""
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
        carried.append(kind) if canvas.bands == 4 else dropped.append(kind + why)
    if facts.depth == 16 and not recipe.format.lossless:
        dropped.append("16-bit depth: JPEG has 8")
    return replace(
        report,
        carried=tuple(carried),
        replaced=tuple(replaced),
        dropped=tuple(dropped),
        noted=tuple(dict.fromkeys((*notes, *report.noted, *look.noted))),
    )


def with_decoders(report: MetadataReport, decoders: int) -> MetadataReport:
    """Add to a report how many decoders the proof rests on, if they are fewer than they should be."""
    if decoders > 1:
        return report
    return replace(report, noted=(*report.noted, ONE_DECODER))
