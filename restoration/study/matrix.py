"""Which runs a folder of recipes asks for, and how far they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from restoration.study.recipe import SeedRecipe, read_seed_recipe
from restoration.study.run_folder import SeedRunFolder
from restoration.training.recipe import TrainingError


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One run of the matrix."""

    recipe: SeedRecipe
    """As it is run: base and epochs may be less than what the folder's recipe says."""
    folder: SeedRunFolder
    done: int
    """Epochs that lie in the run's folder already."""

    @property
    def left(self) -> int:
        """Epochs to go."""
        return max(0, self.recipe.epochs - self.done)


def read_matrix(folder: Path) -> tuple[SeedRecipe, ...]:
    """Read the recipes of a folder, in the order of the report's figures; TrainingError if one is unfit."""
    found = [read_seed_recipe(path) for path in sorted(folder.glob("*.toml"))]
    names = [one.name for one in found]
    twins = sorted({name for name in names if names.count(name) > 1})
    if not found or twins:
        reason = f"two recipes are called {twins[0]}" if twins else "there are no recipes (.toml) here"
        raise TrainingError(reason=reason, remedy="name a folder with one recipe a run", path=folder)
    return tuple(sorted(found, key=_place))


def plan_runs(
    recipes: Sequence[SeedRecipe],
    out: Path,
    *,
    only: Sequence[str] = (),
    epochs: int | None = None,
    base: int | None = None,
    precision: str | None = None,
) -> tuple[PlannedRun, ...]:
    """Plan the recipes, or `only` those of these names.

    With at most so many epochs, and another base width or precision, where these are given.

    Raises TrainingError if a name is unknown.
    """
    known = [one.name for one in recipes]
    unknown = [name for name in only if name not in known]
    if unknown:
        raise TrainingError(
            reason=f"no recipe is called {unknown[0]!r}", remedy=f"name one of {', '.join(known)}"
        )
    plans = []
    for recipe in recipes:
        if only and recipe.name not in only:
            continue
        limited = replace(
            recipe,
            epochs=min(recipe.epochs, epochs or recipe.epochs),
            base=recipe.base if base is None else base,
            precision=precision or recipe.precision,
        )
        folder = run_folder(out, limited)
        plans.append(PlannedRun(limited, folder, folder.epochs()))
    return tuple(plans)


def run_folder(out: Path, recipe: SeedRecipe) -> SeedRunFolder:
    """Name the folder of a run: runs of several widths and precisions lie side by side."""
    return SeedRunFolder(out / "runs" / f"{recipe.name}-{slug(recipe.shape)}")


def slug(shape: str) -> str:
    """Return the shape of a recipe as names of files have it: base32, base32-bfloat16."""
    return shape.replace(", ", "-").replace(" ", "")


def runs_made(out: Path) -> tuple[SeedRunFolder, ...]:
    """Return the folders of all runs that have kept a generator; TrainingError if one is damaged."""
    folders = [SeedRunFolder(path.parent) for path in sorted((out / "runs").glob("*/recipe.toml"))]
    made = [(folder.recipe(), folder) for folder in folders if folder.kept() and folder.metrics.exists()]
    made.sort(key=lambda one: (-one[0].base, one[0].precision == "bfloat16", _place(one[0])))
    return tuple(folder for _, folder in made)


def _place(recipe: SeedRecipe) -> tuple[object, ...]:
    """Order recipes by figure, what is most like the study first."""
    return recipe.figure, recipe.critic == "none", recipe.batch, recipe.kernel, recipe.name
