"""The JSON document of an evaluation; the same measurements give the same bytes."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from restoration.errors import display_name
from restoration.evaluation.chroma_histogram import BLOTCH_PERCENTILE, SHOWN_BINS, SHOWN_WIDTH
from restoration.evaluation.groups import Group, GroupRendering, MeasuredPicture
from restoration.evaluation.measuring import Evaluation
from restoration.evaluation.options import BLOTCH_LIMIT
from restoration.evaluation.tiled import TilingMeasured

DIGITS = 6
"""Significant digits of floats."""


def as_json(document: Mapping[str, Any]) -> str:
    """Write the document as JSON text with sorted keys."""
    return json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def evaluation_document(evaluation: Evaluation) -> dict[str, Any]:
    """Return all measurements, as JSON can hold them; numbers have six significant digits."""
    options, listing = evaluation.options, evaluation.listing
    scans = evaluation.scans
    figures = rounded(
        {
            "software": f"Saek {importlib.metadata.version('saek')}",
            "terms": {
                "half": listing.half.value,
                "held_out": listing.held_out,
                "side": options.side,
                "preset": options.preset.value,
                "strength": options.strength,
            },
            "data": {
                "pictures": len(evaluation.pictures),
                "sha256": evaluation.data_sha256,
                "colorless": [display_name(name) for name in evaluation.colorless],
            },
            "blotches": {
                "threshold": evaluation.thresholds.training if evaluation.thresholds else None,
                "film_threshold": evaluation.thresholds.film if evaluation.thresholds else None,
                "percentile": BLOTCH_PERCENTILE,
                "limit": BLOTCH_LIMIT,
            },
            "vividness_edges": [round(SHOWN_WIDTH * edge, 6) for edge in range(SHOWN_BINS)],
            "models": [
                {
                    "name": model.name,
                    "weights": model.card.weights,
                    "architecture": model.card.architecture,
                    "engine": model.model.engine.name,
                    "strengths": [asdict(point) for point in evaluation.strength_curves[model.name]],
                    "confidence": asdict(evaluation.reliabilities[model.name])
                    if model.name in evaluation.reliabilities
                    else None,
                }
                for model in evaluation.models
            ],
            "groups": [_group(group) for group in evaluation.groups],
            "pictures": [_picture(picture) for picture in evaluation.pictures],
            "scans": None
            if scans is None
            else {
                "refused": {display_name(name): reason for name, reason in scans.refused.items()},
                "models": {
                    name: [asdict(one) | {"name": display_name(one.name)} for one in figures]
                    for name, figures in scans.models.items()
                },
            },
            "tiling": None if evaluation.tiling is None else _tiling(evaluation.tiling),
        }
    )
    return dict(figures)


def _group(group: Group) -> dict[str, Any]:
    return {
        "set": group.name,
        "sets": group.sets,
        "pictures": group.pictures,
        "gray": _rendering(group.gray),
        "truth": _rendering(group.truth),
        "models": {name: _rendering(one) for name, one in group.models.items()},
    }


def _rendering(rendering: GroupRendering) -> dict[str, Any]:
    facts = asdict(rendering)
    return {**facts.pop("figures"), **facts}


def _picture(picture: MeasuredPicture) -> dict[str, Any]:
    return {
        "name": display_name(picture.name),
        "set": picture.set,
        "gray": asdict(picture.gray.figures),
        "truth": asdict(picture.truth.figures),
        "models": {name: asdict(one.figures) for name, one in picture.models.items()},
    }


def _tiling(tiling: TilingMeasured) -> dict[str, Any]:
    return {
        "of": "scans" if tiling.of_scans else "pictures",
        "refused": {display_name(name): reason for name, reason in tiling.refused.items()},
        "models": {
            model: {
                preset.value: [asdict(one) | {"name": display_name(one.name)} for one in figures]
                for preset, figures in presets.items()
            }
            for model, presets in tiling.models.items()
        },
    }


def rounded(value: Any) -> Any:
    """Return a value as JSON can hold it, with six significant digits of each float.

    Raises TypeError if it is not text, a number, a mapping or a sequence.
    """
    match value:
        case bool() | int() | str() | None:
            return value
        case float():
            return float(f"{value:.{DIGITS}g}")
        case Mapping():
            return {str(key): rounded(item) for key, item in value.items()}
        case Sequence():
            return [rounded(item) for item in value]
        case _:
            raise TypeError(f"{type(value).__name__} is not JSON")
