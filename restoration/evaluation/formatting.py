"""Text of metrics and notes, for the terminal and the report page."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from restoration.colorize.predicted_error import CLOSE
from restoration.errors import display_name
from restoration.evaluation.features import MIN_PICTURES
from restoration.evaluation.groups import GroupRendering
from restoration.evaluation.measuring import Evaluation
from restoration.evaluation.options import BLOTCH_LIMIT
from restoration.evaluation.pictures import HISTORICAL, Half
from restoration.evaluation.reliability import Reliability, Tenth
from restoration.evaluation.scan_blotches import SIDE, ScanFigures, ScansMeasured
from restoration.evaluation.tiled import SHIFTS, TilingFigures, TilingMeasured

_HALVES = {
    Half.TEST: "the test half of the held-out pictures",
    Half.VALIDATION: "the validation half of the held-out pictures, which picked checkpoints and parameters",
    Half.ALL: "all held-out pictures, of which half picked checkpoints and parameters",
}
UNKNOWN = "-"

COLUMNS = (
    "PSNR",
    "SSIM",
    "chroma error",
    "of gray's",
    "CIEDE2000",
    "colorfulness",
    "off truth",
    "of truth's",
    "Fréchet",
    "features",
    "blotches",
)
"""Columns of `cells`."""

SCAN_COLUMNS = ("blotches", "beyond film", "strongest chroma", "colorfulness")
"""Columns of `scan_cells`."""

TENTH_COLUMNS = ("confidence", "close to truth", "chroma error", "gray's error")
"""Columns of `tenth_cells`."""


TILING_COLUMNS = ("windows", "seam ratio", "shift spread", "consistency", "luma error")
"""Columns of `tiling_cells`."""


def cells(rendering: GroupRendering) -> tuple[str, ...]:
    """Return the metrics of a rendering as text, in the order of `COLUMNS`."""
    figures = rendering.figures
    return (
        f"{figures.psnr:.2f}",
        f"{figures.ssim:.4f}",
        f"{figures.chroma_l1:.4f}",
        f"{rendering.chroma_ratio:.3f}",
        f"{figures.ciede2000:.2f}",
        f"{figures.colorfulness:.1f}",
        f"{rendering.colorfulness_difference:+.1f}",
        f"{rendering.colorfulness_ratio:.3f}",
        UNKNOWN if rendering.frechet is None else f"{rendering.frechet:.2f}",
        f"{figures.feature_distance:.4f}",
        UNKNOWN if figures.blotches is None else f"{figures.blotches:.3%}",
    )


def tenth_cells(tenth: Tenth) -> tuple[str, ...]:
    """Return the figures of a tenth of the pixels as text, in the order of `TENTH_COLUMNS`."""
    numbers = (tenth.confidence, tenth.close, tenth.error, tenth.gray_error)
    return tuple(f"{number:.{digits}f}" for number, digits in zip(numbers, (3, 3, 4, 4), strict=True))


def measured_note(evaluation: Evaluation) -> str:
    """Return a note on the pictures and options of the evaluation."""
    options, listing = evaluation.options, evaluation.listing
    preset, strength = options.preset, options.strength
    which = _HALVES[listing.half] if listing.held_out else "all pictures of the folder, which has no manifest"
    parts = [
        f"{len(evaluation.pictures)} pictures: {which}.",
        f"Longer side {options.side}, preset {preset}, strength {strength:g}, luminance kept.",
    ]
    historical = next((group for group in evaluation.groups if group.name == HISTORICAL), None)
    if historical is not None:
        parts.append(f"{HISTORICAL} are {', '.join(historical.sets)}.")
    if evaluation.colorless:
        parts.append(f"{len(evaluation.colorless)} more have no color or are tiny, and were left out.")
    if evaluation.thresholds is None:
        parts.append(
            "Blotches were not measured: no manifest names training pictures, and no threshold was given."
        )
    else:
        parts.append(f"Blotches are pixels with a chroma beyond {evaluation.thresholds.training:.3f}.")
    return " ".join(parts)


def frechet_note(evaluation: Evaluation) -> str:
    """Return a note on the two feature distances."""
    return (
        "Fréchet: EfficientNet-Lite0 Fréchet distance from the true pictures, for sets of at least"
        f" {MIN_PICTURES} pictures. So few ({len(evaluation.pictures)} overall, for 1280 features) make it"
        " too large in every row: compare the rows of one set, never one set with another."
        " Features: EfficientNet-Lite0 feature distance. Neither is comparable with FID or LPIPS."
    )


def reliability_note(reliability: Reliability) -> str:
    """Return a note on the reliability of the confidence."""
    return (
        "Rank correlation of 1 - confidence with the chroma error"
        f" {_correlation(reliability.correlation)} over {reliability.pixels:,} pixels of all pictures,"
        f" {_correlation(reliability.picture_correlation)} inside a picture on average"
        f" ({reliability.pictures} pictures); the least confident tenth first."
        f" Close is a distance of at most {CLOSE:g}, whose share the confidence predicts."
    )


def scans_note(scans: ScansMeasured) -> str:
    """Return a note on the scans, and on those that were refused."""
    refused = "".join(f" {name} was refused: {reason}." for name, reason in scans.refused.items())
    film = scans.thresholds.film
    stricter = (
        "" if film is None else f" Beyond film: the same of the historical training pictures, {film:.3f}."
    )
    return (
        f"Scans, at {SIDE} pixels. Blotches: share of pixels beyond the chroma that 99.9 % of the training"
        f" pixels do not exceed, {scans.thresholds.training:.3f}; must stay below {BLOTCH_LIMIT:.1%} of each."
        f"{stricter}{refused}"
    )


def scan_cells(figures: ScanFigures) -> tuple[str, ...]:
    """Return the metrics of a scan as text, in the order of `SCAN_COLUMNS`."""
    film = UNKNOWN if figures.beyond_film is None else f"{figures.beyond_film:.3%}"
    return f"{figures.blotches:.3%}", film, f"{figures.most:.3f}", f"{figures.colorfulness:.1f}"


def tiling_cells(figures: Sequence[TilingFigures]) -> tuple[str, ...]:
    """Return the worst of the pictures and their mean in brackets, in the order of `TILING_COLUMNS`."""
    ratios = [one.seam_ratio for one in figures if one.seam_ratio is not None]
    spreads = [one.shift_spread for one in figures if one.shift_spread is not None]
    agreements = [one.consistency for one in figures]
    return (
        f"{max(one.windows for one in figures):,} ({fmean(one.windows for one in figures):,.0f})",
        _worst(ratios, max(ratios, key=lambda ratio: abs(ratio - 1), default=0)),
        _worst(spreads, max(spreads, default=0)),
        _worst(agreements, max(agreements)),
        f"{max(one.luma_error for one in figures)}",
    )


def tiling_note(tiling: TilingMeasured) -> str:
    """Return a note on the tiling metrics, and on the scans that were refused."""
    refused = "".join(f" {display_name(name)} was refused: {why}." for name, why in tiling.refused.items())
    return (
        f"Seams on {'scans' if tiling.of_scans else 'the pictures'}: the worst of all, and their mean."
        " Seam ratio: step of color across borders of windows over that half a stride away; 1.00 is none."
        f" Shift spread: deviation over {SHIFTS} places of the windows. Consistency: distance from the colors"
        " of the whole picture. Both are in CIE L*a*b* units. Where nothing is cut into windows there is"
        f" neither seam nor shift ({UNKNOWN}).{refused}"
    )


def _worst(figures: Sequence[float], worst: float) -> str:
    return f"{worst:.3f} ({fmean(figures):.3f})" if figures else UNKNOWN


def _correlation(value: float | None) -> str:
    return "none (one of them is the same everywhere)" if value is None else f"{value:.3f}"
