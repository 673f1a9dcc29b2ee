"""The folder of a training run, which alone documents the run.

Every run keeps `recipe.toml`, `run.json` (data, code and machine), `curve.csv`, `sheets/`, `metrics.json`
and `state.pt`, the checkpoint to resume from. A chroma run adds `best.safetensors` and, where its recipe has
the chroma stretched at the end, `learned.safetensors`. A person may add `notes.md`.
"""

from __future__ import annotations

import csv
import json
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn

from restoration.arrays.lab import shown_rgb
from restoration.atomic_write import draft_name, replacing, write_file
from restoration.training.dataset import Split
from restoration.training.device import machine
from restoration.training.metrics import HeldOutPicture, Predict, SetMetrics
from restoration.training.provenance import commit
from restoration.training.recipe import Moment, TrainingError, TrainingRecipe
from restoration.training.throughput import TimeSpent

SHEET_PICTURES = 16
_SHEET_BACKGROUND = (24, 24, 24)


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The files that every run keeps. Writing raises NoSpace or OutputUnavailable."""

    path: Path
    columns: ClassVar[tuple[str, ...]] = ()
    """Columns of `curve.csv`."""

    @property
    def state(self) -> Path:
        """The checkpoint to resume from."""
        return self.path / "state.pt"

    @property
    def recipe_file(self) -> Path:
        """The recipe, as TOML."""
        return self.path / "recipe.toml"

    @property
    def curve(self) -> Path:
        """Losses and metrics over the run, as CSV."""
        return self.path / "curve.csv"

    @property
    def facts(self) -> Path:
        """Facts about the run: recipe, data, code and machine, as JSON."""
        return self.path / "run.json"

    @property
    def metrics(self) -> Path:
        """The final metrics, as JSON."""
        return self.path / "metrics.json"

    def require_new(self) -> None:
        """Raise TrainingError if the folder has a checkpoint."""
        if self.state.exists():
            raise TrainingError(
                reason="the folder holds a run", remedy="choose another folder, or resume", path=self.path
            )

    def begin(self, recipe: bytes, facts: Mapping[str, Any]) -> None:
        """Write the recipe, the facts of the run, code and machine, and the head of the curve."""
        (self.path / "sheets").mkdir(parents=True, exist_ok=True)
        write_file(self.recipe_file, recipe, draft_name(self.recipe_file))
        software = {
            "saek": version("saek"),
            "commit": commit(),
            "torch": version("torch"),
            "python": platform.python_version(),
            "machine": machine(),
        }
        write_json_file(self.facts, {**facts, **software})
        if not self.curve.exists():
            self._write_lines([])

    def lines(self) -> list[dict[str, str]]:
        """Read the lines of the curve; none if there is no curve."""
        if not self.curve.exists():
            return []
        with self.curve.open(newline="") as file:
            return list(csv.DictReader(file))

    def add_line(self, line: Mapping[str, Any]) -> None:
        """Append a line to the curve."""
        with self.curve.open("a", newline="") as file:
            csv.DictWriter(file, self.columns).writerow(line)

    def rewind(self, column: str, last: int) -> None:
        """Remove the lines of the curve whose `column` is above `last`: those steps are done again."""
        if self.curve.exists():
            self._write_lines([line for line in self.lines() if int(line[column]) <= last])

    def draw_sheet(self, name: str, columns: Sequence[Sequence[NDArray[np.uint8]]], side: int) -> None:
        """Draw columns of pictures (H, W, 3), no side above `side` pixels, as PNG into `sheets/`."""
        rows = max(map(len, columns))
        sheet = Image.new("RGB", (len(columns) * side, rows * side), _SHEET_BACKGROUND)
        for left, column in enumerate(columns):
            for top, picture in enumerate(column):
                sheet.paste(Image.fromarray(picture), (left * side, top * side))
        sheet.save(self.path / "sheets" / f"{name}.png")

    def _write_lines(self, lines: Sequence[Mapping[str, str]]) -> None:
        with replacing(self.curve, draft_name(self.curve)) as draft, draft.open("w", newline="") as file:
            writer = csv.DictWriter(file, self.columns)
            writer.writeheader()
            writer.writerows(lines)


@dataclass(frozen=True, slots=True)
class ChromaRunFolder(RunFolder):
    """The files of a run that trains a chroma generator."""

    columns: ClassVar[tuple[str, ...]] = (
        "step",
        "phase",
        "rate",
        "loss",
        "samples_per_second",
        "waiting_share",
        "device_load",
        "chroma_ratio",
        "colorfulness_ratio",
        "psnr",
        "gray_psnr",
        "ciede2000",
        "gray_ciede2000",
        "score",
        "doubt_correlation",
    )

    @property
    def best(self) -> Path:
        """The averaged weights of the checkpoint with the best validation score: what is exported."""
        return self.path / "best.safetensors"

    @property
    def learned(self) -> Path:
        """The same weights before the end of the run stretched their chroma."""
        return self.path / "learned.safetensors"

    @property
    def notes(self) -> Path:
        """A person's remarks on the results, as Markdown; they go into the model's page."""
        return self.path / "notes.md"

    def describe_run(self, recipe: Path, plan: TrainingRecipe, split: Split) -> None:
        """Write what is run, on what data and where."""
        facts = {
            "recipe": plan.name,
            "recipe_sha256": plan.fingerprint(),
            "data_sha256": split.fingerprint(),
            "pictures": {
                "train": len(split.train),
                "validation": len(split.validation),
                "test": len(split.test),
            },
            "sets": dict(sorted(Counter(picture.set for picture in split.train).items())),
            "licenses": dict(split.licenses),
        }
        self.begin(recipe.read_bytes(), facts)

    def add_loss(
        self, step: int, moment: Moment, loss: float, lap: TimeSpent, device_load: float | None = None
    ) -> None:
        """Add a line with the mean loss and the throughput since the last one.

        `device_load` is the share of time in which the CUDA device computed.
        """
        self.add_line(
            {
                "step": step,
                "phase": moment.phase.name,
                "rate": f"{moment.rate:.3g}",
                "loss": f"{loss:.6f}",
                "samples_per_second": f"{lap.samples_per_second:.1f}",
                "waiting_share": f"{lap.waiting_share:.3f}",
                "device_load": "" if device_load is None else f"{device_load:.3f}",
            }
        )

    def add_metrics(self, step: int, metrics: SetMetrics, correlation: float | None = None) -> None:
        """Add a line with the validation metrics; `correlation` is that of predicted and true error."""
        figures = {
            "chroma_ratio": metrics.chroma_ratio,
            "colorfulness_ratio": metrics.colorfulness_ratio,
            "psnr": metrics.predicted.psnr,
            "gray_psnr": metrics.gray.psnr,
            "ciede2000": metrics.predicted.ciede2000,
            "gray_ciede2000": metrics.gray.ciede2000,
            "score": metrics.score,
        } | ({} if correlation is None else {"doubt_correlation": correlation})
        self.add_line({"step": step, **{name: f"{value:.4f}" for name, value in figures.items()}})

    def keep_best(self, network: nn.Module) -> None:
        """Keep these weights as the best so far."""
        self.learned.unlink(missing_ok=True)
        write_weights(self.best, network)

    def keep_stretched(self, network: nn.Module) -> None:
        """Keep these weights as the best; those that they were made of stay as `learned`."""
        if not self.learned.exists():
            write_file(self.learned, self.best.read_bytes(), draft_name(self.learned))
        write_weights(self.best, network)

    def load_learned(self, network: nn.Module) -> None:
        """Load the best weights, as they were learned, into a network."""
        network.load_state_dict(load_file(self.learned if self.learned.exists() else self.best))

    def load_best(self, network: nn.Module) -> None:
        """Load the best weights into a network."""
        network.load_state_dict(load_file(self.best))

    def write_metrics(
        self,
        step: int,
        gain: float,
        validation: Sequence[SetMetrics],
        test: Sequence[SetMetrics],
        spent: TimeSpent,
    ) -> None:
        """Write the final metrics and the time spent; `gain` is by how much the chroma was stretched."""
        cost = {"samples_per_second": spent.samples_per_second, "waiting_share": spent.waiting_share}
        write_json_file(
            self.metrics,
            {
                "step": step,
                "gain": gain,
                "spent": asdict(spent) | cost,
                "validation": [one.entries() for one in validation],
                "test": [one.entries() for one in test],
            },
        )

    def draw_validation(self, step: int, predict: Predict, pictures: Sequence[HeldOutPicture]) -> None:
        """Draw gray, prediction and truth of pictures spread over the sets, one column each."""
        chosen = pictures[:: max(1, len(pictures) // SHEET_PICTURES)][:SHEET_PICTURES]
        columns = []
        for one in chosen:
            gray = np.repeat(np.rint(255.0 * one.luma).astype(np.uint8)[..., None], 3, axis=2)
            colored = np.rint(255.0 * shown_rgb(one.luma, predict(one.luma[None])[0])).astype(np.uint8)
            columns.append((gray, colored, one.rgb))
        self.draw_sheet(f"step-{step:07d}", columns, max(max(one.luma.shape) for one in chosen))


def write_json_file(path: Path, content: Mapping[str, Any]) -> None:
    """Replace a JSON file atomically. Raises NoSpace, OutputUnavailable."""
    write_file(path, json.dumps(content, indent=2).encode(), draft_name(path))


def write_weights(path: Path, network: nn.Module) -> None:
    """Replace a safetensors file atomically by the weights of a network. Raises as `write_json_file`."""
    weights = {name: tensor.contiguous().cpu() for name, tensor in network.state_dict().items()}
    with replacing(path, draft_name(path)) as draft:
        save_file(weights, draft)
