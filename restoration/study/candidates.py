"""Candidates of the study: gray, truth, a perfect generator, the shipped model, every kept generator.

Their metrics are cached in `judged/` below the folder of the study, by what decides them.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from restoration.atomic_write import digest, draft_name, write_file
from restoration.evaluation.evaluated_models import open_evaluated_models
from restoration.evaluation.options import EvaluationProgress
from restoration.evaluation.rendering import colored, left_gray, predicted_chroma
from restoration.generators.models import Library, default_model
from restoration.recipe import Preset
from restoration.study.candidate_metrics import CandidateMetrics, Evaluator, as_facts, from_facts
from restoration.study.colorizer import checkpoint_colorizer, luminance_kept
from restoration.study.dataset import Dataset
from restoration.study.preprocessing import Bytes, Preprocessing
from restoration.study.recipe import SeedRecipe
from restoration.study.run_folder import SeedRunFolder

_CACHE_VERSION = 1
"""Raised when other metrics are computed, so that cached ones are not read."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to color the test pictures."""

    name: str
    sha256: str
    """Hash of everything that decides its colors, except the pictures."""
    make: Callable[[], Sequence[Bytes]]
    """Colors all test pictures, (H, W, 3) each."""
    keeps_luminance: bool
    recipe: SeedRecipe | None = None
    epoch: int | None = None


@dataclass(frozen=True, slots=True)
class EvaluatedCandidate:
    """Metrics of a candidate, as generated and with the luminance of the gray picture under its chroma."""

    candidate: Candidate
    generated: CandidateMetrics
    luminance_kept: CandidateMetrics

    @property
    def gain(self) -> float:
        """PSNR gained by keeping the luminance, dB."""
        return self.luminance_kept.rendering.figures.psnr - self.generated.rendering.figures.psnr


def baselines(
    dataset: Dataset, evaluator: Evaluator, preprocessing: Preprocessing, library: Library
) -> tuple[Candidate, ...]:
    """Return the candidates other than the runs: gray, truth, a perfect generator and the shipped model."""
    card = default_model(library)

    def shipped() -> Sequence[Bytes]:
        model = open_evaluated_models([card.name], library)[0].model
        return [colored(gray, predicted_chroma(gray, Preset.FAST, model)) for gray in evaluator.grays]

    fixed = hashlib.sha256(repr(preprocessing).encode()).hexdigest()
    return (
        Candidate(
            "gray", "gray", lambda: [left_gray(gray) for gray in evaluator.grays], keeps_luminance=True
        ),
        Candidate("truth", "truth", lambda: list(dataset.test.rgb), keeps_luminance=True),
        Candidate(
            "perfect generator",
            fixed,
            lambda: list(preprocessing.best_reachable(dataset.test.rgb)),
            keeps_luminance=False,
        ),
        Candidate(f"shipped {card.name}", card.weights, shipped, keeps_luminance=True),
    )


def run_candidates(folder: SeedRunFolder, evaluator: Evaluator, device: torch.device) -> Iterator[Candidate]:
    """Yield a candidate for each kept generator of a run."""
    recipe = folder.recipe()
    for epoch in folder.kept():
        yield Candidate(
            name=f"{folder.path.name}, epoch {epoch}",
            sha256=digest(folder.weights(epoch))[1] + recipe.fingerprint(),
            make=functools.partial(_generated, folder, epoch, evaluator, device),
            keeps_luminance=False,
            recipe=recipe,
            epoch=epoch,
        )


def _generated(folder: SeedRunFolder, epoch: int, evaluator: Evaluator, device: torch.device) -> list[Bytes]:
    colorize = checkpoint_colorizer(folder.recipe(), folder.weights(epoch), device)
    return [colorize(gray) for gray in evaluator.grays]


def evaluate_candidates(
    candidates: Sequence[Candidate],
    evaluator: Evaluator,
    dataset: Dataset,
    cache: Path,
    progress: EvaluationProgress,
) -> tuple[EvaluatedCandidate, ...]:
    """Evaluate candidates, or read the cached metrics of those evaluated before on the same pictures."""
    cache.mkdir(parents=True, exist_ok=True)
    pictures = dataset.train.fingerprint() + dataset.test.fingerprint()
    found = []
    for number, candidate in enumerate(candidates):
        progress(f"judging {candidate.name}", number, len(candidates))
        key = hashlib.sha256(f"{_CACHE_VERSION} {pictures} {candidate.sha256}".encode()).hexdigest()
        path = cache / f"{key[:16]}.json"
        if path.is_file():
            facts = json.loads(path.read_text("utf-8"))
        else:
            facts = _evaluate(candidate, evaluator)
            write_file(path, json.dumps({"name": candidate.name, **facts}).encode(), draft_name(path))
        found.append(EvaluatedCandidate(candidate, from_facts(facts["painted"]), from_facts(facts["kept"])))
    progress("judging", len(candidates), len(candidates))
    return tuple(found)


def _evaluate(candidate: Candidate, evaluator: Evaluator) -> dict[str, object]:
    made = candidate.make()
    generated = as_facts(evaluator.evaluate(made))
    if candidate.keeps_luminance:
        return {"painted": generated, "kept": generated}
    combined = [luminance_kept(rgb, gray) for rgb, gray in zip(made, evaluator.grays, strict=True)]
    return {"painted": generated, "kept": as_facts(evaluator.evaluate(combined))}
