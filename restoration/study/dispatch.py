"""Dispatch of a recipe to the training of chroma generators or to that of the study."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from restoration.generators.models import SHIPPED_ONLY, Library
from restoration.study.loop import train_seed
from restoration.study.recipe import read_seed_recipe
from restoration.training.loop import train
from restoration.training.progress import TrainingProgress, TrainingResult
from restoration.training.recipe import SEED_KIND, recipe_kind


def train_by_recipe(
    recipe: Path,
    data: Path,
    out: Path,
    *,
    resume: bool = True,
    progress: Callable[[TrainingProgress], None] | None = None,
    library: Library = SHIPPED_ONLY,
) -> TrainingResult:
    """Train after a TOML recipe: one with `kind = "seed"` as in the study, any other for chroma.

    Raises TrainingError, UnknownModel, NoSpace, OutputUnavailable.
    """
    if recipe_kind(recipe) == SEED_KIND:
        return train_seed(read_seed_recipe(recipe), data, out, resume=resume, progress=progress)
    return train(recipe, data, out, resume=resume, progress=progress, library=library)
