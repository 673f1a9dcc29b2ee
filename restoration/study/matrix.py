"""The matrix of runs that a folder of recipes asks for, and the epochs done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from restoration.study.recipe import SeedRecipe, read_seed_recipe
from restoration.study.run_folder import SeedRunFolder
from restoration.training.recipe import TrainingError


@dataclass(frozen=True, slots=True)
class RunSelection:
    """The part of the matrix to run, and limits of its runs."""

    only: tuple[str, ...] = ()
    """Names of recipes; empty: all."""
    epochs: int | None = None
    """Maximum number of epochs."""
    base: int | None = None
    """Width of the networks, instead of the recipe's."""
    precision: str | None = None
    """Precision of training, instead of the recipe's."""


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One run of the matrix."""

    recipe: SeedRecipe
    """The recipe as it is run: base and epochs may be below those of the matrix."""
    folder: SeedRunFolder
    done: int
    """Epochs done."""

    @property
    def left(self) -> int:
        """Epochs to go."""
        return max(0, self.recipe.epochs - self.done)


def read_matrix(folder: Path) -> tuple[SeedRecipe, ...]:
    """Read the recipes of a folder, in the order of the report's figures. Raises TrainingError."""
    found = [read_seed_recipe(path) for path in sorted(folder.glob("*.toml"))]
    names = [one.name for one in found]
    twins = sorted({name for name in names if names.count(name) > 1})
    if not found or twins:
        reason = f"two recipes are called {twins[0]}" if twins else "there are no recipes (.toml) here"
        raise TrainingError(reason=reason, remedy="name a folder with one recipe per run", path=folder)
    return tuple(sorted(found, key=_place))


def plan_runs(
    recipes: Sequence[SeedRecipe], out: Path, selection: RunSelection = RunSelection()
) -> tuple[PlannedRun, ...]:
    """Plan the runs of a selection of recipes. Raises TrainingError if a name is unknown."""
    known = [one.name for one in recipes]
    unknown = [name for name in selection.only if name not in known]
    if unknown:
        raise TrainingError(
            reason=f"no recipe is called {unknown[0]!r}", remedy=f"name one of {', '.join(known)}"
        )
    plans = []
    for recipe in recipes:
        if selection.only and recipe.name not in selection.only:
            continue
        limited = replace(
            recipe,
            epochs=min(recipe.epochs, selection.epochs or recipe.epochs),
            base=recipe.base if selection.base is None else selection.base,
            precision=selection.precision or recipe.precision,
        )
        folder = run_folder(out, limited)
        plans.append(PlannedRun(limited, folder, folder.epochs()))
    return tuple(plans)


def run_folder(out: Path, recipe: SeedRecipe) -> SeedRunFolder:
    """Return the folder of a run; each width and precision has its own."""
    return SeedRunFolder(out / "runs" / f"{recipe.name}-{slug(recipe.shape)}")


def slug(shape: str) -> str:
    """Return the shape of a recipe for file names: base32, base32-bfloat16."""
    return shape.replace(", ", "-").replace(" ", "")


def runs_made(out: Path) -> tuple[SeedRunFolder, ...]:
    """Return the folders of all runs with a kept generator. Raises TrainingError if one is damaged."""
    folders = [SeedRunFolder(path.parent) for path in sorted((out / "runs").glob("*/recipe.toml"))]
    made = [(folder.recipe(), folder) for folder in folders if folder.kept() and folder.metrics.exists()]
    made.sort(key=lambda one: (-one[0].base, one[0].precision == "bfloat16", _place(one[0])))
    return tuple(folder for _, folder in made)


def _place(recipe: SeedRecipe) -> tuple[object, ...]:
    """Return the sort key of a recipe: by figure, the most similar to the baseline first."""
    return recipe.figure, recipe.critic == "none", recipe.batch, recipe.kernel, recipe.name
