"""Findings of the study, and their JSON document."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from restoration.evaluation.document import rounded
from restoration.study.candidate_metrics import as_facts
from restoration.study.candidates import EvaluatedCandidate
from restoration.study.channel_statistics import ChannelStatistics, measure_channels
from restoration.study.dataset import Dataset
from restoration.study.matrix import PlannedRun
from restoration.study.preprocessing import Preprocessing
from restoration.study.run_folder import SeedRunFolder


@dataclass(frozen=True, slots=True)
class Findings:
    """Runs and results of the study."""

    preprocessing: Preprocessing
    statistics: Mapping[str, ChannelStatistics]
    """Of the training pictures, and of all."""
    unreachable: float
    """Share of the test pictures' values that Tanh does not reach."""
    threshold: float
    """Chroma beyond which color is a blotch."""
    pictures: tuple[int, int]
    """Numbers of training and test pictures."""
    runs: tuple[SeedRunFolder, ...]
    candidates: tuple[EvaluatedCandidate, ...]
    matrix: tuple[PlannedRun, ...]
    """The full matrix, at full width and length, with the epochs done."""

    def baseline(self, name: str) -> EvaluatedCandidate:
        """Return the evaluated candidate whose name starts with `name`."""
        return next(one for one in self.candidates if one.candidate.name.startswith(name))

    def of_run(self, folder: SeedRunFolder) -> tuple[EvaluatedCandidate, ...]:
        """Return the evaluated generators of a run, by epoch."""
        prefix = f"{folder.path.name}, "
        return tuple(one for one in self.candidates if one.candidate.name.startswith(prefix))


def statistics(dataset: Dataset) -> dict[str, ChannelStatistics]:
    """Measure the channels of the training pictures, and of all pictures."""
    return {
        "train": measure_channels(iter(dataset.train.rgb)),
        "train and test": measure_channels(rgb for part in (dataset.train, dataset.test) for rgb in part.rgb),
    }


def study_document(findings: Findings) -> dict[str, Any]:
    """Return the findings as JSON can hold them; numbers have six significant digits."""
    document = {
        "software": f"Saek {importlib.metadata.version('saek')}",
        "preprocessing": asdict(findings.preprocessing) | {"reach": findings.preprocessing.color.reach()},
        "statistics": {name: asdict(one) for name, one in findings.statistics.items()},
        "unreachable_share": findings.unreachable,
        "blotch_threshold": findings.threshold,
        "pictures": {"train": findings.pictures[0], "test": findings.pictures[1]},
        "runs": {folder.path.name: _run(folder) for folder in findings.runs},
        "verdicts": [_candidate(one) for one in findings.candidates],
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


def _candidate(one: EvaluatedCandidate) -> dict[str, Any]:
    return {
        "name": one.candidate.name,
        "run": None if one.candidate.epoch is None else one.candidate.name.partition(", ")[0],
        "epoch": one.candidate.epoch,
        "painted": as_facts(one.generated),
        "luminance_kept": as_facts(one.luminance_kept),
        "psnr_gain": one.gain,
    }
