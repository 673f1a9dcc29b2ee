"""The folder of a run, which alone explains the run.

`recipe.toml`, `run.json` (data, code and machine), `curve.csv`, `sheets/`, `best.safetensors`
(and `learned.safetensors`, where the recipe asks that the chroma be stretched at the end),
`metrics.json`, and `state.pt`, from which training goes on. A person may add `notes.md`.
"""

from __future__ import annotations

import csv
import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn

from restoration.arrays.lab import shown_rgb
from restoration.atomic_write import draft_name, replacing, write_file
from restoration.training.dataset import Picture, Split
from restoration.training.metrics import HeldOutPicture, Predict, SetMetrics
from restoration.training.provenance import commit
from restoration.training.recipe import Moment, TrainingRecipe
from restoration.training.throughput import TimeSpent

CURVE_COLUMNS = (
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
SHEET_PICTURES = 16


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The files of one run."""

    path: Path

    @property
    def state(self) -> Path:
        """The state to resume from."""
        return self.path / "state.pt"

    @property
    def best(self) -> Path:
        """The averaged weights of the checkpoint with the best validation score: what is exported."""
        return self.path / "best.safetensors"

    @property
    def learned(self) -> Path:
        """The same weights as they were before the end of the run stretched their chroma."""
        return self.path / "learned.safetensors"

    @property
    def curve(self) -> Path:
        """Losses and validation figures by step."""
        return self.path / "curve.csv"

    @property
    def facts(self) -> Path:
        """What was run, on what data, with which code and machine, as JSON."""
        return self.path / "run.json"

    @property
    def notes(self) -> Path:
        """What a person who looked at the results has to say, as Markdown; goes into the model's page."""
        return self.path / "notes.md"

    @property
    def metrics(self) -> Path:
        """The final figures, as JSON."""
        return self.path / "metrics.json"

    def begin(self, recipe: Path, plan: TrainingRecipe, split: Split) -> None:
        """Write down what is run, on what and where."""
        (self.path / "sheets").mkdir(parents=True, exist_ok=True)
        write_atomically(self.path / "recipe.toml", recipe.read_bytes())
        facts = {
            "recipe": plan.name,
            "recipe_sha256": plan.fingerprint(),
            "data_sha256": split.fingerprint(),
            "pictures": {
                "train": len(split.train),
                "validation": len(split.validation),
                "test": len(split.test),
            },
            "sets": _counts(split.train),
            "licenses": dict(split.licenses),
            "saek": version("saek"),
            "commit": commit(),
            "torch": version("torch"),
            "python": platform.python_version(),
            "machine": machine(),
        }
        write_atomically(self.facts, json.dumps(facts, indent=2).encode())
        if not self.curve.exists():
            self._write_curve([])

    def rewind(self, step: int) -> None:
        """Forget what the curve tells about steps after `step`: they are done again."""
        if not self.curve.exists():
            return
        with self.curve.open(newline="") as lines:
            self._write_curve([row for row in csv.DictReader(lines) if int(row["step"]) <= step])

    def add_loss(
        self, step: int, moment: Moment, loss: float, lap: TimeSpent, device_load: float | None = None
    ) -> None:
        """Add a line with the mean loss and the pace since the last one.

        `device_load` is the share of time in which the CUDA device computed.
        """
        self._add(
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

    def add_figures(self, step: int, row: SetMetrics, doubt: float | None = None) -> None:
        """Add a line with the validation figures; `doubt` tells how well the error is foretold."""
        figures = {
            "chroma_ratio": row.chroma_ratio,
            "colorfulness_ratio": row.colorfulness_ratio,
            "psnr": row.predicted.psnr,
            "gray_psnr": row.gray.psnr,
            "ciede2000": row.predicted.ciede2000,
            "gray_ciede2000": row.gray.ciede2000,
            "score": row.score,
        } | ({} if doubt is None else {"doubt_correlation": doubt})
        self._add({"step": step, **{name: f"{value:.4f}" for name, value in figures.items()}})

    def keep_best(self, network: nn.Module) -> None:
        """Keep these weights as the best so far."""
        self.learned.unlink(missing_ok=True)
        _write_weights(network, self.best)

    def keep_stretched(self, network: nn.Module) -> None:
        """Keep these weights as the best; those that they were made of stay as `learned`."""
        if not self.learned.exists():
            write_file(self.learned, self.best.read_bytes(), draft_name(self.learned))
        _write_weights(network, self.best)

    def load_learned(self, network: nn.Module) -> None:
        """Fill a network with the best weights, as they were learned."""
        network.load_state_dict(load_file(self.learned if self.learned.exists() else self.best))

    def load(self, network: nn.Module) -> None:
        """Fill a network with the best weights."""
        network.load_state_dict(load_file(self.best))

    def write_metrics(
        self,
        step: int,
        gain: float,
        validation: Sequence[SetMetrics],
        test: Sequence[SetMetrics],
        spent: TimeSpent,
    ) -> None:
        """Write the final figures, and what they cost; `gain` is by how much the chroma was stretched."""
        content = {
            "step": step,
            "gain": gain,
            "spent": asdict(spent)
            | {"samples_per_second": spent.samples_per_second, "waiting_share": spent.waiting_share},
            "validation": _table(validation),
            "test": _table(test),
        }
        write_atomically(self.metrics, json.dumps(content, indent=2).encode())

    def draw_sheet(self, step: int, predict: Predict, against: Sequence[HeldOutPicture]) -> None:
        """Draw gray, prediction and truth of pictures spread over the sets, one row each, as PNG."""
        chosen = against[:: max(1, len(against) // SHEET_PICTURES)][:SHEET_PICTURES]
        side = max(max(one.luma.shape) for one in chosen)
        sheet = Image.new("RGB", (len(chosen) * side, 3 * side), (24, 24, 24))
        for column, one in enumerate(chosen):
            colored = np.rint(255.0 * shown_rgb(one.luma, predict(one.luma[None])[0])).astype(np.uint8)
            gray = np.repeat(np.rint(255.0 * one.luma).astype(np.uint8)[..., None], 3, axis=2)
            for row, shown in enumerate((gray, colored, one.rgb)):
                sheet.paste(Image.fromarray(shown), (column * side, row * side))
        sheet.save(self.path / "sheets" / f"step-{step:07d}.png")

    def _add(self, row: dict[str, Any]) -> None:
        with self.curve.open("a", newline="") as file:
            csv.DictWriter(file, CURVE_COLUMNS).writerow(row)

    def _write_curve(self, rows: Sequence[dict[str, Any]]) -> None:
        with self.curve.open("w", newline="") as file:
            writer = csv.DictWriter(file, CURVE_COLUMNS)
            writer.writeheader()
            writer.writerows(rows)


def _write_weights(network: nn.Module, path: Path) -> None:
    with replacing(path, draft_name(path)) as draft:
        save_file({name: tensor.contiguous().cpu() for name, tensor in network.state_dict().items()}, draft)


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file of a run; its draft, which a kill may leave, is replaced by the next run."""
    write_file(path, content, draft_name(path))


def machine() -> str:
    """Name the hardware that computes: the CUDA device, or the processor's architecture and threads."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    capability = torch.backends.cpu.get_cpu_capability()
    return f"{platform.machine()} CPU ({capability}), {torch.get_num_threads()} threads"


def _counts(pictures: Sequence[Picture]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for picture in pictures:
        counts[picture.set] = counts.get(picture.set, 0) + 1
    return dict(sorted(counts.items()))


def _table(rows: Sequence[SetMetrics]) -> list[dict[str, Any]]:
    return [
        asdict(row) | {"chroma_ratio": row.chroma_ratio, "colorfulness_ratio": row.colorfulness_ratio}
        for row in rows
    ]
