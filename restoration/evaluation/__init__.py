"""Evaluation of models on color pictures and monochrome scans, with tables, a document and a report."""

from restoration.evaluation.document import evaluation_document
from restoration.evaluation.errors import EvaluationError
from restoration.evaluation.evaluated_models import EvaluatedModel, open_evaluated_models
from restoration.evaluation.formatting import (
    COLUMNS,
    SCAN_COLUMNS,
    TENTH_COLUMNS,
    TILING_COLUMNS,
    cells,
    frechet_note,
    measured_note,
    reliability_note,
    scan_cells,
    scans_note,
    tenth_cells,
    tiling_cells,
    tiling_note,
)
from restoration.evaluation.groups import Group, worst_and_best
from restoration.evaluation.measuring import Evaluation, evaluate_models
from restoration.evaluation.options import EvaluationOptions, EvaluationProgress
from restoration.evaluation.pictures import Half
from restoration.evaluation.reliability import Reliability
from restoration.evaluation.report import report_folder, write_report
from restoration.evaluation.scan_blotches import ScanFigures
from restoration.evaluation.showcase import showcase
from restoration.evaluation.strength_curve import StrengthPoint, by_strength
from restoration.evaluation.tiled import TilingFigures

__all__ = [
    "COLUMNS",
    "SCAN_COLUMNS",
    "TENTH_COLUMNS",
    "TILING_COLUMNS",
    "EvaluatedModel",
    "Evaluation",
    "EvaluationError",
    "EvaluationOptions",
    "EvaluationProgress",
    "Group",
    "Half",
    "Reliability",
    "ScanFigures",
    "StrengthPoint",
    "TilingFigures",
    "by_strength",
    "cells",
    "evaluate_models",
    "evaluation_document",
    "frechet_note",
    "measured_note",
    "open_evaluated_models",
    "reliability_note",
    "report_folder",
    "scan_cells",
    "scans_note",
    "showcase",
    "tenth_cells",
    "tiling_cells",
    "tiling_note",
    "worst_and_best",
    "write_report",
]
