"""Estimates of the time and disk space of runs."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field

import torch

from restoration.study.dataset import SIDE
from restoration.study.matrix import PlannedRun
from restoration.study.networks import new_seed_state
from restoration.study.recipe import SeedRecipe
from restoration.study.training_step import train_networks_on_batch

_Shape = tuple[int, int, int, str, int]


_STATE = 3
"""Numbers in the checkpoint for each weight: itself and Adam's two moments."""


def bytes_kept(recipe: SeedRecipe) -> int:
    """Return the bytes of a finished run: kept generators and checkpoint."""
    with torch.device("meta"):
        state = new_seed_state(recipe, torch.device("meta"))
    generator = sum(one.numel() for one in state.generator.parameters())
    critic = sum(one.numel() for one in state.critic.parameters()) if state.critic else 0
    generators = -(-recipe.epochs // recipe.checkpoint_epochs)
    return 4 * (generators * generator + _STATE * (generator + critic))


@dataclass(slots=True)
class Estimator:
    """Estimates the time per picture; networks of one shape are timed once."""

    device: torch.device
    timed: dict[_Shape, float] = field(default_factory=dict)

    def seconds_per_picture(self, plan: PlannedRun) -> float:
        """Return the seconds per picture of the run so far or, without one, of a batch now."""
        if plan.folder.metrics.exists():
            spent = json.loads(plan.folder.metrics.read_text("utf-8"))["spent"]
            if spent["samples"]:
                return float(spent["seconds"] / spent["samples"])
        recipe = plan.recipe
        # A CPU gains nothing by large batches, and a batch of one takes the least time.
        batch = recipe.batch if self.device.type == "cuda" else 1
        shape = (recipe.base, recipe.kernel, recipe.patch_map, recipe.critic, batch)
        if shape not in self.timed:
            self.timed[shape] = self._time(recipe, batch)
        return self.timed[shape]

    def _time(self, recipe: SeedRecipe, batch: int) -> float:
        if recipe.threads is not None:
            torch.set_num_threads(recipe.threads)
        state = new_seed_state(recipe, self.device)
        gray = torch.randn(batch, 3, SIDE, SIDE, device=self.device)
        train_networks_on_batch(state, recipe, gray, gray).tolist()
        started = time.perf_counter()
        train_networks_on_batch(state, recipe, gray, gray).tolist()
        return (time.perf_counter() - started) / batch
