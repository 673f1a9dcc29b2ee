"""Runner of the study: train the planned runs, evaluate all runs, write the page."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import torch

from restoration.atomic_write import write_file, writing_to
from restoration.evaluation.document import as_json
from restoration.evaluation.features import FeatureNetwork
from restoration.evaluation.options import EvaluationProgress, silent
from restoration.generators.models import SHIPPED_ONLY, Library, default_model
from restoration.study.candidate_metrics import Evaluator
from restoration.study.candidates import Candidate, baselines, evaluate_candidates, run_candidates
from restoration.study.comparisons import comparisons
from restoration.study.curves import curve_files
from restoration.study.dataset import Dataset, load_dataset
from restoration.study.findings import Findings, statistics, study_document
from restoration.study.loop import train_seed
from restoration.study.matrix import PlannedRun, RunSelection, plan_runs, read_matrix, runs_made
from restoration.study.report import DrawnComparison, report
from restoration.study.sheets import figure_sheet
from restoration.training.progress import TrainingProgress

DOCUMENT = "study.json"
NOTES = "notes.md"
"""File in the folder of the study with a person's remarks, which go into the page."""


def run_study(
    recipes: Path,
    data: Path,
    out: Path,
    page: Path,
    selection: RunSelection,
    *,
    library: Library = SHIPPED_ONLY,
    trained: Callable[[PlannedRun, TrainingProgress], None] | None = None,
    progress: EvaluationProgress = silent,
) -> Findings:
    """Train what is left of a folder of recipes, evaluate all runs in `out`, and write the page.

    Figures and `study.json` go into a folder beside the page, with its name. Raises TrainingError,
    UnknownModel, WeightsMismatch, NoSpace, OutputUnavailable.
    """
    matrix = read_matrix(recipes)
    plans = plan_runs(matrix, out, selection)
    dataset = load_dataset(data)
    # Fail now, not after hours of training, if the wheel or the model is missing.
    network, _ = FeatureNetwork(), default_model(library)
    for plan in plans:
        if plan.left:
            listener = None if trained is None else functools.partial(trained, plan)
            train_seed(plan.recipe, data, plan.folder.path, progress=listener)
    runs = runs_made(out)
    for folder in runs:
        folder.require_pictures(dataset)
    preprocessing = matrix[0].preprocessing
    progress("measuring the pictures", 0, 1)
    evaluator = Evaluator(dataset, network)
    candidates: list[Candidate] = list(baselines(dataset, evaluator, preprocessing, library))
    candidates += [candidate for folder in runs for candidate in run_candidates(folder, evaluator, _device())]
    findings = Findings(
        preprocessing=preprocessing,
        statistics=statistics(dataset),
        unreachable=preprocessing.unreachable_share(dataset.test.rgb),
        threshold=evaluator.threshold,
        pictures=(len(dataset.train), len(dataset.test)),
        runs=runs,
        candidates=evaluate_candidates(candidates, evaluator, dataset, out / "judged", progress),
        matrix=plan_runs(matrix, out),
    )
    notes = out / NOTES
    text = notes.read_text("utf-8") if notes.is_file() else ""
    with writing_to(page.parent):
        drawn = _draw_comparisons(findings, dataset, page, progress)
        document = as_json(study_document(findings)).encode()
        write_file(page.parent / page.stem / DOCUMENT, document)
        write_file(page, report(findings, drawn, recipes.name, text).encode())
    return findings


def _draw_comparisons(
    findings: Findings, dataset: Dataset, page: Path, progress: EvaluationProgress
) -> list[DrawnComparison]:
    """Draw the figures into a folder beside the page."""
    folder = page.parent / page.stem
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    found = comparisons(findings.runs)
    for number, one in enumerate(found):
        progress("drawing figures", number, len(found))
        sheet = folder / f"figure-{one.name}.jpg"
        pictures = figure_sheet(one, dataset.test, _device(), sheet)
        curves = {loss: f"{folder.name}/{path.name}" for loss, path in curve_files(one, folder).items()}
        drawn.append(DrawnComparison(one, f"{folder.name}/{sheet.name}", pictures, curves))
    return drawn


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
