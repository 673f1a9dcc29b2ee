"""All that the study found, in one place, for the report and for programs."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from restoration.evaluation.document import rounded
from restoration.study.candidates import JudgedCandidate
from restoration.study.channel_statistics import ChannelStatistics, measure_channels
from restoration.study.dataset import Dataset
from restoration.study.evaluator import as_facts
from restoration.study.matrix import PlannedRun
from restoration.study.preprocessing import Preprocessing
from restoration.study.run_folder import SeedRunFolder


@dataclass(frozen=True, slots=True)
class Findings:
    """What was run and what came of it."""

    preprocessing: Preprocessing
    statistics: Mapping[str, ChannelStatistics]
    """Of the training pictures, and of all."""
    unreachable: float
    """Share of the test pictures' values that Tanh does not reach."""
    threshold: float
    """Chroma beyond which there are blotches."""
    pictures: tuple[int, int]
    """To learn from and to judge by."""
    runs: tuple[SeedRunFolder, ...]
    verdicts: tuple[JudgedCandidate, ...]
    matrix: tuple[PlannedRun, ...]
    """The whole of it, at full width and length, as far as it is done."""

    def beside(self, name: str) -> JudgedCandidate:
        """Return the verdict on what stands beside the runs; its name begins like this."""
        return next(one for one in self.verdicts if one.exhibit.name.startswith(name))

    def of_run(self, folder: SeedRunFolder) -> tuple[JudgedCandidate, ...]:
        """Return the verdicts on the generators of a run, by epoch."""
        prefix = f"{folder.path.name}, "
        return tuple(one for one in self.verdicts if one.exhibit.name.startswith(prefix))


def statistics(album: Dataset) -> dict[str, ChannelStatistics]:
    """Measure the channels of the training pictures, and of all pictures."""
    return {
        "train": measure_channels(iter(album.train.rgb)),
        "train and test": measure_channels(rgb for part in (album.train, album.test) for rgb in part.rgb),
    }


def study_document(findings: Findings) -> dict[str, Any]:
    """Return everything as JSON can hold it; figures have six significant digits."""
    document = {
        "software": f"Saek {importlib.metadata.version('saek')}",
        "preprocessing": asdict(findings.preprocessing) | {"reach": findings.preprocessing.color.reach()},
        "statistics": {name: asdict(one) for name, one in findings.statistics.items()},
        "unreachable_share": findings.unreachable,
        "blotch_threshold": findings.threshold,
        "pictures": {"train": findings.pictures[0], "test": findings.pictures[1]},
        "runs": {folder.path.name: _run(folder) for folder in findings.runs},
        "verdicts": [_verdict(one) for one in findings.verdicts],
        "matrix": [
            {
                "name": one.recipe.name,
                "base": one.recipe.base,
                "epochs": one.recipe.epochs,
                "done": one.done,
            }
            for one in findings.matrix
        ],
    }
    return dict(rounded(document))


def _run(folder: SeedRunFolder) -> dict[str, Any]:
    return {
        "recipe": asdict(folder.recipe()),
        "facts": json.loads(folder.facts.read_text("utf-8")),
        "spent": json.loads(folder.metrics.read_text("utf-8"))["spent"],
        "epochs": folder.epochs(),
        "kept": folder.kept(),
        "curve": [{name: float(value) for name, value in line.items() if value} for line in folder.lines()],
    }


def _verdict(one: JudgedCandidate) -> dict[str, Any]:
    return {
        "name": one.exhibit.name,
        "run": None if one.exhibit.epoch is None else one.exhibit.name.partition(", ")[0],
        "epoch": one.exhibit.epoch,
        "painted": as_facts(one.painted),
        "luminance_kept": as_facts(one.kept),
        "psnr_gain": one.gain,
    }
