"""What is judged: gray, truth, a perfect generator, the shipped model, and every kept generator.

Figures of what has not changed since are read from `judged/` below the folder of the study.
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
from restoration.evaluation.rendering import colored, left_gray, predicted_chroma
from restoration.evaluation.subjects import open_evaluated_models
from restoration.evaluation.terms import EvaluationProgress
from restoration.generators.models import Library, default_model
from restoration.recipe import Preset
from restoration.study.colorizer import checkpoint_colorizer, luminance_kept
from restoration.study.dataset import Dataset
from restoration.study.evaluator import CandidateFigures, Evaluator, as_facts, from_facts
from restoration.study.preprocessing import Bytes, Preprocessing
from restoration.study.recipe import SeedRecipe
from restoration.study.run_folder import SeedRunFolder

_JUDGING = 1
"""Raised when other figures are taken, so that old ones are not read."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to color the test pictures."""

    name: str
    sha256: str
    """Of all that decides it, beside the pictures."""
    make: Callable[[], Sequence[Bytes]]
    """Colors all test pictures, each (H, W, 3)."""
    keeps_luminance: bool
    recipe: SeedRecipe | None = None
    epoch: int | None = None


@dataclass(frozen=True, slots=True)
class JudgedCandidate:
    """What an exhibit is worth, as it is and with the gray picture's own luminance under its chroma."""

    exhibit: Candidate
    painted: CandidateFigures
    kept: CandidateFigures

    @property
    def gain(self) -> float:
        """What keeping the luminance gives back, dB."""
        return self.kept.rendering.figures.psnr - self.painted.rendering.figures.psnr


def beside(
    album: Dataset, bench: Evaluator, preprocessing: Preprocessing, library: Library
) -> tuple[Candidate, ...]:
    """Return what stands beside every run: gray, the truth, a perfect generator and the shipped model."""
    card = default_model(library)

    def shipped() -> Sequence[Bytes]:
        model = open_evaluated_models([card.name], library)[0].model
        return [colored(gray, predicted_chroma(gray, Preset.FAST, model)) for gray in bench.grays]

    fixed = hashlib.sha256(repr(preprocessing).encode()).hexdigest()
    return (
        Candidate("gray", "gray", lambda: [left_gray(gray) for gray in bench.grays], keeps_luminance=True),
        Candidate("truth", "truth", lambda: list(album.test.rgb), keeps_luminance=True),
        Candidate(
            "perfect generator",
            fixed,
            lambda: list(preprocessing.best_reachable(album.test.rgb)),
            keeps_luminance=False,
        ),
        Candidate(f"shipped {card.name}", card.weights, shipped, keeps_luminance=True),
    )


def of_run(folder: SeedRunFolder, bench: Evaluator, device: torch.device) -> Iterator[Candidate]:
    """Yield what each kept generator of a run paints."""
    recipe = folder.recipe()
    for epoch in folder.kept():
        yield Candidate(
            name=f"{folder.path.name}, epoch {epoch}",
            sha256=digest(folder.weights(epoch))[1] + recipe.fingerprint(),
            make=functools.partial(_painted, folder, epoch, bench, device),
            keeps_luminance=False,
            recipe=recipe,
            epoch=epoch,
        )


def _painted(folder: SeedRunFolder, epoch: int, bench: Evaluator, device: torch.device) -> list[Bytes]:
    paint = checkpoint_colorizer(folder.recipe(), folder.weights(epoch), device)
    return [paint(gray) for gray in bench.grays]


def judged(
    exhibits: Sequence[Candidate], bench: Evaluator, album: Dataset, store: Path, progress: EvaluationProgress
) -> tuple[JudgedCandidate, ...]:
    """Judge exhibits, or read the figures of those that were judged before on the same pictures."""
    store.mkdir(parents=True, exist_ok=True)
    pictures = album.train.fingerprint() + album.test.fingerprint()
    verdicts = []
    for number, exhibit in enumerate(exhibits):
        progress(f"judging {exhibit.name}", number, len(exhibits))
        key = hashlib.sha256(f"{_JUDGING} {pictures} {exhibit.sha256}".encode()).hexdigest()
        path = store / f"{key[:16]}.json"
        if path.is_file():
            facts = json.loads(path.read_text("utf-8"))
        else:
            facts = _judged(exhibit, bench)
            write_file(path, json.dumps({"name": exhibit.name, **facts}).encode(), draft_name(path))
        verdicts.append(JudgedCandidate(exhibit, from_facts(facts["painted"]), from_facts(facts["kept"])))
    progress("judging", len(exhibits), len(exhibits))
    return tuple(verdicts)


def _judged(exhibit: Candidate, bench: Evaluator) -> dict[str, object]:
    made = exhibit.make()
    painted = as_facts(bench.judge(made))
    if exhibit.keeps_luminance:
        return {"painted": painted, "kept": painted}
    laid = [luminance_kept(rgb, gray) for rgb, gray in zip(made, bench.grays, strict=True)]
    return {"painted": painted, "kept": as_facts(bench.judge(laid))}
