"""The folder of a run of the study.

What every run keeps (`RunFolder`), `curve.csv` by epoch, and the kept generators `epoch-NNN.safetensors`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from restoration.evaluation.rendering import left_gray
from restoration.study.colorizer import Colorizer
from restoration.study.dataset import Dataset, DatasetPart
from restoration.study.preprocessing import Bytes, gray_of
from restoration.study.recipe import SeedRecipe, as_toml, read_seed_recipe
from restoration.training.metrics import SetMetrics
from restoration.training.recipe import TrainingError
from restoration.training.run_folder import RunFolder, write_json_file
from restoration.training.throughput import TimeSpent

SHEET_PICTURES = 10
SHEET_SIDE = 192


@dataclass(frozen=True, slots=True)
class SeedRunFolder(RunFolder):
    """The files of one run of the study."""

    columns: ClassVar[tuple[str, ...]] = (
        "epoch",
        "step",
        "adversarial",
        "l1",
        "discriminator",
        "samples_per_second",
        "psnr",
        "gray_psnr",
        "chroma_ratio",
        "colorfulness_ratio",
    )

    def recipe(self) -> SeedRecipe:
        """Read the recipe of the run; TrainingError if it is not one of the study."""
        return read_seed_recipe(self.recipe_file)

    def weights(self, epoch: int) -> Path:
        """Return the path of the generator of an epoch."""
        return self.path / f"epoch-{epoch:03d}.safetensors"

    def kept(self) -> tuple[int, ...]:
        """Return the epochs whose generators are kept."""
        found = (re.fullmatch(r"epoch-(\d+)\.safetensors", path.name) for path in self.path.iterdir())
        return tuple(sorted(int(match[1]) for match in found if match))

    def epochs(self) -> int:
        """Return the number of epochs in the curve."""
        return max((int(line["epoch"]) for line in self.lines()), default=0)

    def require_pictures(self, dataset: Dataset) -> None:
        """Raise TrainingError if the run was started on other pictures."""
        if not self.facts.exists():
            return
        if json.loads(self.facts.read_text("utf-8"))["data_sha256"] != _fingerprints(dataset):
            raise TrainingError(
                reason="the run was made on other pictures",
                remedy="give it the pictures that it began with, or take another folder",
                path=self.path,
            )

    def describe_run(self, recipe: SeedRecipe, dataset: Dataset) -> None:
        """Write what is run, on what data and where."""
        facts = {
            "recipe": recipe.name,
            "recipe_sha256": recipe.fingerprint(),
            "data_sha256": _fingerprints(dataset),
            "pictures": {"train": len(dataset.train), "test": len(dataset.test)},
        }
        self.begin(as_toml(recipe).encode(), facts)

    def add_epoch(
        self, epoch: int, step: int, losses: Sequence[float], lap: TimeSpent, metrics: SetMetrics | None
    ) -> None:
        """Add a line with the mean losses of an epoch and, where a generator was kept, its metrics."""
        adversarial, l1, discriminator = (f"{loss:.6f}" for loss in losses)
        line: dict[str, Any] = {
            "epoch": epoch,
            "step": step,
            "adversarial": adversarial,
            "l1": l1,
            "discriminator": discriminator,
            "samples_per_second": f"{lap.samples_per_second:.2f}",
        }
        if metrics is not None:
            figures = {
                "psnr": metrics.predicted.psnr,
                "gray_psnr": metrics.gray.psnr,
                "chroma_ratio": metrics.chroma_ratio,
                "colorfulness_ratio": metrics.colorfulness_ratio,
            }
            line |= {name: f"{value:.4f}" for name, value in figures.items()}
        self.add_line(line)

    def draw_test(self, epoch: int, colorize: Colorizer, part: DatasetPart) -> None:
        """Draw gray, colored and true test pictures, spread over all of them, one column each."""
        chosen = part.rgb[:: max(1, len(part) // SHEET_PICTURES)][:SHEET_PICTURES]
        columns = []
        for rgb in chosen:
            gray = gray_of(rgb)
            columns.append([_fitted(shown) for shown in (left_gray(gray), colorize(gray), rgb)])
        self.draw_sheet(f"epoch-{epoch:03d}", columns, SHEET_SIDE)

    def write_metrics(self, epochs: int, steps: int, spent: TimeSpent, metrics: SetMetrics) -> None:
        """Write the final metrics and the time spent."""
        content = {
            "epochs": epochs,
            "steps": steps,
            "spent": asdict(spent) | {"samples_per_second": spent.samples_per_second},
            "test": metrics.entries(),
        }
        write_json_file(self.metrics, content)


def _fitted(rgb: Bytes) -> Bytes:
    return np.asarray(Image.fromarray(rgb).resize((SHEET_SIDE, SHEET_SIDE), Image.Resampling.LANCZOS))


def _fingerprints(dataset: Dataset) -> dict[str, str]:
    return {"train": dataset.train.fingerprint(), "test": dataset.test.fingerprint()}
