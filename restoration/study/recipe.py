"""Recipes of the study: TOML files with `kind = "seed"`; the defaults are the published values."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from restoration.generators.networks.pix2pix_losses import L1_WEIGHT
from restoration.study.preprocessing import Preprocessing
from restoration.training.recipe import SEED_KIND, TrainingError, filled

CRITICS = ("conditional", "unconditional", "none")
CRITIC_STEPS = {16: 4, 8: 5}
"""Steps down of the discriminator by the side of its map."""
KERNELS = (3, 4, 5)
PRECISIONS = ("float32", "bfloat16")
_PREPROCESSED = {"color_mean": 3, "color_std": 3, "gray_mean": 1, "gray_std": 1}
FIGURES = ("a", "b", "c", "d")


@dataclass(frozen=True, slots=True)
class SeedRecipe:
    """Everything that decides a run, except the pictures."""

    name: str
    about: str
    """Purpose of the run, in a few words."""
    figure: str
    """Comparison of the report to which it belongs."""
    base: int = 64
    """Width of both networks: channels after their first convolution."""
    epochs: int = 100
    batch: int = 1
    kernel: int = 4
    """Side of all convolutions, pixels."""
    patch_map: int = 16
    """Side of the discriminator's map."""
    critic: str = "conditional"
    """Input of the discriminator: gray and color (Isola et al. 2017), color only, or none at all."""
    l1_weight: float = L1_WEIGHT
    rate: float = 2e-4
    betas: tuple[float, ...] = (0.5, 0.999)
    seed: int = 1
    checkpoint_epochs: int = 20
    """Epochs from one kept generator and sample sheet to the next."""
    state_minutes: float = 5.0
    """Minutes from one state to resume from to the next."""
    precision: str = "float32"
    """Arithmetic of convolutions in training: "bfloat16" is torch's autocast, with weights, losses and
    optimizer in float32. Generated pictures are computed in float32 either way."""
    threads: int | None = None
    """Threads of the processor; None: torch's default."""
    preprocessing: Preprocessing = field(default_factory=Preprocessing)

    @property
    def shape(self) -> str:
        """Width and precision of the networks, in words."""
        exact = "" if self.precision == "float32" else f", {self.precision}"
        return f"base {self.base}{exact}"

    def fingerprint(self) -> str:
        """sha256 (hex) over what decides the weights of each epoch, not over the number of epochs."""
        decisive = asdict(self)
        for name in ("about", "figure", "epochs", "checkpoint_epochs", "state_minutes", "threads"):
            del decisive[name]
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


def read_seed_recipe(path: Path) -> SeedRecipe:
    """Read a recipe. Raises TrainingError for an unknown, missing or impossible entry."""
    try:
        entries = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TrainingError(
            reason=f"the recipe cannot be read: {error}", remedy="give a TOML recipe", path=path
        ) from error
    if entries.pop("kind", None) != SEED_KIND:
        raise TrainingError(
            reason="this is not a recipe of the study",
            remedy=f'give one with kind = "{SEED_KIND}"',
            path=path,
        )
    given = dict(entries)
    given["preprocessing"] = filled(Preprocessing, given.pop("preprocessing", {}), path, "[preprocessing]")
    recipe = filled(SeedRecipe, given, path)
    wrong = _wrong(recipe)
    if wrong:
        raise TrainingError(reason=wrong[0], remedy=wrong[1], path=path)
    return recipe


def as_toml(recipe: SeedRecipe) -> str:
    """Return a recipe as TOML, with all entries that have a value."""
    entries = asdict(recipe)
    parts = entries.pop("preprocessing")
    lines = [f'kind = "{SEED_KIND}"', *_lines(entries), "", "[preprocessing]", *_lines(parts)]
    return "\n".join(lines) + "\n"


def _lines(entries: Mapping[str, Any]) -> list[str]:
    # Strings, numbers and lists of numbers are written the same in JSON and in TOML.
    given = {name: value for name, value in entries.items() if value is not None}
    return [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in given.items()]


def _wrong(recipe: SeedRecipe) -> tuple[str, str] | None:
    """Return the first value that is out of range, and the remedy."""
    choices: dict[str, tuple[Any, ...]] = {
        "figure": FIGURES,
        "kernel": KERNELS,
        "patch_map": tuple(CRITIC_STEPS),
        "critic": CRITICS,
        "precision": PRECISIONS,
    }
    for name, known in choices.items():
        if getattr(recipe, name) not in known:
            return f"{name} = {getattr(recipe, name)!r}", f"use one of {', '.join(map(str, known))}"
    for name in ("base", "epochs", "batch", "checkpoint_epochs", "threads"):
        value = getattr(recipe, name)
        if value is not None and (not isinstance(value, int) or value < 1):
            return f"{name} = {value!r}", "use a whole number of at least 1"
    wrong = [name for name, count in _PREPROCESSED.items() if not _numbers(recipe.preprocessing, name, count)]
    if wrong:
        return (
            f"{', '.join(wrong)} cannot be used",
            "give three numbers for color, one for gray, spreads above 0",
        )
    if recipe.critic == "none" and not recipe.l1_weight > 0:
        return "the generator has no loss", "set l1_weight above 0, or a critic"
    return None


def _numbers(preprocessing: Preprocessing, name: str, count: int) -> bool:
    """Return whether an entry has as many numbers as it should, above 0 where it is a spread."""
    value = getattr(preprocessing, name)
    values = value if isinstance(value, tuple) else (value,)
    numbers = [one for one in values if isinstance(one, int | float)]
    fitting = len(values) == len(numbers) == count
    return fitting and (not name.endswith("std") or min(numbers) > 0)
