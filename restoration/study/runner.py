"""How the whole study goes: every run, then the judgement of all that was ever run, then the page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from restoration.atomic_write import write_file, writing_to
from restoration.evaluation.document import as_json
from restoration.evaluation.features import FeatureNetwork
from restoration.evaluation.terms import EvaluationProgress, silent
from restoration.generators.models import SHIPPED_ONLY, Library, default_model
from restoration.study.candidates import Candidate, beside, judged, of_run
from restoration.study.comparisons import comparisons
from restoration.study.curves import curve_files
from restoration.study.dataset import Dataset, load_dataset
from restoration.study.evaluator import Evaluator
from restoration.study.findings import Findings, statistics, study_document
from restoration.study.loop import train_seed
from restoration.study.matrix import PlannedRun, plan_runs, read_matrix, runs_made
from restoration.study.report import DrawnComparison, report
from restoration.study.sheets import figure_sheet
from restoration.training.progress import TrainingProgress

DOCUMENT = "study.json"
NOTES = "notes.md"
"""What a person who looked at the figures has to say, in the folder of the study; goes into the page."""


@dataclass(frozen=True, slots=True)
class RunSelection:
    """Which part of the matrix is run."""

    only: tuple[str, ...] = ()
    """Names of recipes; none are all."""
    epochs: int | None = None
    base: int | None = None
    precision: str | None = None


def run_study(
    recipes: Path,
    data: Path,
    out: Path,
    page: Path,
    limits: RunSelection = RunSelection(),
    *,
    library: Library = SHIPPED_ONLY,
    trained: Callable[[PlannedRun, TrainingProgress], None] | None = None,
    progress: EvaluationProgress = silent,
) -> Findings:
    """Run what is left of a folder of recipes, judge all runs in `out`, and write the page.

    Figures and `study.json` go into a folder beside the page that is called like it. Raises TrainingError,
    UnknownModel, WeightsMismatch, NoSpace, OutputUnavailable.
    """
    matrix = read_matrix(recipes)
    plans = plan_runs(
        matrix,
        out,
        only=limits.only,
        epochs=limits.epochs,
        base=limits.base,
        precision=limits.precision,
    )
    album = load_dataset(data)
    # What is not installed is told now, not after hours.
    eye, _ = FeatureNetwork(), default_model(library)
    for plan in plans:
        if plan.left:
            _trained(plan, data, trained)
    runs = runs_made(out)
    for folder in runs:
        folder.require_pictures(album)
    preprocessing = matrix[0].preprocessing
    progress("looking at the pictures", 0, 1)
    bench = Evaluator(album, eye)
    exhibits: list[Candidate] = list(beside(album, bench, preprocessing, library))
    exhibits += [exhibit for folder in runs for exhibit in of_run(folder, bench, _device())]
    findings = Findings(
        preprocessing=preprocessing,
        statistics=statistics(album),
        unreachable=preprocessing.unreachable_share(album.test.rgb),
        threshold=bench.threshold,
        pictures=(len(album.train), len(album.test)),
        runs=runs,
        verdicts=judged(exhibits, bench, album, out / "judged", progress),
        matrix=plan_runs(matrix, out),
    )
    notes = out / NOTES
    text = notes.read_text("utf-8") if notes.is_file() else ""
    with writing_to(page.parent):
        drawn = _drawn(findings, album, page, progress)
        document = as_json(study_document(findings)).encode()
        write_file(page.parent / page.stem / DOCUMENT, document)
        write_file(page, report(findings, drawn, recipes.name, text).encode())
    return findings


def _trained(
    plan: PlannedRun, data: Path, listener: Callable[[PlannedRun, TrainingProgress], None] | None
) -> None:
    def listen(told: TrainingProgress) -> None:
        if listener is not None:
            listener(plan, told)

    train_seed(plan.recipe, data, plan.folder.path, progress=listen)


def _drawn(
    findings: Findings, album: Dataset, page: Path, progress: EvaluationProgress
) -> list[DrawnComparison]:
    """Draw the figures into the folder beside the page."""
    folder = page.parent / page.stem
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    found = comparisons(findings.runs)
    for number, one in enumerate(found):
        progress("drawing figures", number, len(found))
        sheet = folder / f"figure-{one.name}.jpg"
        pictures = figure_sheet(one, album.test, _device(), sheet)
        curves = {loss: f"{folder.name}/{path.name}" for loss, path in curve_files(one, folder).items()}
        drawn.append(DrawnComparison(one, f"{folder.name}/{sheet.name}", pictures, curves))
    return drawn


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
