"""The folder of a run of the study, which alone explains the run.

`recipe.toml`, `run.json` (pictures, code and machine), `curve.csv` (losses by epoch), `sheets/`, the kept
generators `epoch-NNN.safetensors`, `metrics.json`, and `state.pt`, from which training goes on.
"""

from __future__ import annotations

import csv
import json
import platform
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from safetensors.torch import save_file

from restoration.atomic_write import draft_name, replacing
from restoration.generators.networks.unet import UNetGenerator
from restoration.study.dataset import Dataset, DatasetPart
from restoration.study.painter import Colorizer
from restoration.study.preprocessing import gray_of
from restoration.study.recipe import SeedRecipe, as_toml, read_seed_recipe
from restoration.training.metrics import SetMetrics
from restoration.training.provenance import commit
from restoration.training.recipe import TrainingError
from restoration.training.run_folder import machine, write_atomically
from restoration.training.throughput import TimeSpent

CURVE_COLUMNS = (
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
SHEET_PICTURES = 10
SHEET_SIDE = 192


@dataclass(frozen=True, slots=True)
class SeedFolder:
    """The files of one run."""

    path: Path

    @property
    def state(self) -> Path:
        """The state to resume from."""
        return self.path / "state.pt"

    @property
    def curve(self) -> Path:
        """Losses by epoch, with figures of the test pictures where a generator was kept."""
        return self.path / "curve.csv"

    @property
    def facts(self) -> Path:
        """What was run, on what data, with which code and machine, as JSON."""
        return self.path / "run.json"

    @property
    def metrics(self) -> Path:
        """How the run ended, as JSON."""
        return self.path / "metrics.json"

    def recipe(self) -> SeedRecipe:
        """Read the recipe of the run; TrainingError if it is none of the study."""
        return read_seed_recipe(self.path / "recipe.toml")

    def weights(self, epoch: int) -> Path:
        """Name the file of the generator of an epoch."""
        return self.path / f"epoch-{epoch:03d}.safetensors"

    def kept(self) -> tuple[int, ...]:
        """Return the epochs whose generators are kept."""
        found = (re.fullmatch(r"epoch-(\d+)\.safetensors", path.name) for path in self.path.iterdir())
        return tuple(sorted(int(match[1]) for match in found if match))

    def epochs(self) -> int:
        """Return how many epochs the curve tells of."""
        return max((int(row["epoch"]) for row in self.lines()), default=0)

    def lines(self) -> list[dict[str, str]]:
        """Read the curve."""
        if not self.curve.exists():
            return []
        with self.curve.open(newline="") as lines:
            return list(csv.DictReader(lines))

    def require_pictures(self, album: Dataset) -> None:
        """Raise TrainingError if the run was begun on other pictures."""
        if not self.facts.exists():
            return
        if json.loads(self.facts.read_text("utf-8"))["data_sha256"] != _fingerprints(album):
            raise TrainingError(
                reason="the run was made on other pictures",
                remedy="give it the pictures that it began with, or take another folder",
                path=self.path,
            )

    def begin(self, recipe: SeedRecipe, album: Dataset) -> None:
        """Write down what is run, on what and where."""
        (self.path / "sheets").mkdir(parents=True, exist_ok=True)
        write_atomically(self.path / "recipe.toml", as_toml(recipe).encode())
        facts = {
            "recipe": recipe.name,
            "recipe_sha256": recipe.fingerprint(),
            "data_sha256": _fingerprints(album),
            "pictures": {"train": len(album.train), "test": len(album.test)},
            "saek": version("saek"),
            "commit": commit(),
            "torch": version("torch"),
            "python": platform.python_version(),
            "machine": machine(),
        }
        write_atomically(self.facts, json.dumps(facts, indent=2).encode())
        if not self.curve.exists():
            self._write_curve([])

    def rewind(self, epoch: int) -> None:
        """Forget what the curve tells after the first `epoch` epochs: they are done again."""
        self._write_curve([line for line in self.lines() if int(line["epoch"]) <= epoch])

    def add_epoch(
        self, epoch: int, step: int, losses: Sequence[float], lap: TimeSpent, row: SetMetrics | None
    ) -> None:
        """Add a line with the mean losses of an epoch and, where a generator was kept, its figures."""
        line: dict[str, Any] = {
            "epoch": epoch,
            "step": step,
            **dict(
                zip(("adversarial", "l1", "discriminator"), (f"{loss:.6f}" for loss in losses), strict=True)
            ),
            "samples_per_second": f"{lap.samples_per_second:.2f}",
        }
        if row is not None:
            figures = {
                "psnr": row.predicted.psnr,
                "gray_psnr": row.gray.psnr,
                "chroma_ratio": row.chroma_ratio,
                "colorfulness_ratio": row.colorfulness_ratio,
            }
            line |= {name: f"{value:.4f}" for name, value in figures.items()}
        with self.curve.open("a", newline="") as file:
            csv.DictWriter(file, CURVE_COLUMNS).writerow(line)

    def keep(self, generator: UNetGenerator, epoch: int) -> None:
        """Keep the generator of an epoch."""
        path = self.weights(epoch)
        with replacing(path, draft_name(path)) as draft:
            save_file({name: one.contiguous().cpu() for name, one in generator.state_dict().items()}, draft)

    def draw_sheet(self, epoch: int, paint: Colorizer, part: DatasetPart) -> None:
        """Draw gray, painted and true test pictures, spread over all of them, one column each, as PNG."""
        chosen = part.rgb[:: max(1, len(part) // SHEET_PICTURES)][:SHEET_PICTURES]
        sheet = Image.new("RGB", (len(chosen) * SHEET_SIDE, 3 * SHEET_SIDE), (24, 24, 24))
        for column, rgb in enumerate(chosen):
            gray = gray_of(rgb)
            for row, shown in enumerate((np.repeat(gray[..., None], 3, axis=2), paint(gray), rgb)):
                picture = Image.fromarray(shown).resize((SHEET_SIDE, SHEET_SIDE), Image.Resampling.LANCZOS)
                sheet.paste(picture, (column * SHEET_SIDE, row * SHEET_SIDE))
        sheet.save(self.path / "sheets" / f"epoch-{epoch:03d}.png")

    def write_metrics(self, epochs: int, steps: int, spent: TimeSpent, row: SetMetrics) -> None:
        """Write how the run ended and what it cost."""
        ratios = {"chroma_ratio": row.chroma_ratio, "colorfulness_ratio": row.colorfulness_ratio}
        content = {
            "epochs": epochs,
            "steps": steps,
            "spent": asdict(spent) | {"samples_per_second": spent.samples_per_second},
            "test": asdict(row) | ratios,
        }
        write_atomically(self.metrics, json.dumps(content, indent=2).encode())

    def _write_curve(self, lines: Sequence[dict[str, str]]) -> None:
        with replacing(self.curve, draft_name(self.curve)) as draft, draft.open("w", newline="") as file:
            writer = csv.DictWriter(file, CURVE_COLUMNS)
            writer.writeheader()
            writer.writerows(lines)


def _fingerprints(album: Dataset) -> dict[str, str]:
    return {"train": album.train.fingerprint(), "test": album.test.fingerprint()}
