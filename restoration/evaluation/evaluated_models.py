"""The models of an evaluation: installed ones by name, others by their folder or training run."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from restoration.evaluation.errors import EvaluationError
from restoration.generators.loaded_model import LoadedModel, load_model
from restoration.generators.models import SHIPPED_ONLY, Library, ModelCard, installed_models, model_card
from restoration.generators.networks.architectures import ARCHITECTURES
from restoration.training.recipe import SEED_KIND, read_recipe, recipe_kind
from restoration.training.run_folder import ChromaRunFolder


@dataclass(frozen=True, slots=True)
class EvaluatedModel:
    """A model to evaluate, under a unique name."""

    name: str
    card: ModelCard
    model: LoadedModel


def open_evaluated_models(
    words: Sequence[str],
    library: Library = SHIPPED_ONLY,
    device: str = "auto",
    threads: int | None = None,
    engine: str = "auto",
) -> tuple[EvaluatedModel, ...]:
    """Open models by name, or by a folder with a card and its weights, or by the folder of a training run.

    A word with a slash, or "." or "..", is a folder. Of a run the best checkpoint is used. If a name is
    taken, the position in the list is added to it. Raises UnknownModel, ModelError, WeightsMismatch,
    EngineUnavailable, EvaluationError, TrainingError.
    """
    opened: list[EvaluatedModel] = []
    for place, word in enumerate(words, start=1):
        card = _card_of_folder(Path(word)) if _is_folder(word) else model_card(word, library)
        taken = card.name in {other.name for other in opened}
        name = f"{card.name} ({place})" if taken else card.name
        opened.append(EvaluatedModel(name, card, load_model(card, device, threads, engine)))
    return tuple(opened)


def _is_folder(word: str) -> bool:
    return "/" in word or word in {".", ".."}


def _card_of_folder(folder: Path) -> ModelCard:
    if not folder.is_dir():
        raise EvaluationError(
            reason="there is no such folder",
            remedy="name an installed model (`saek models`), or the folder of a model or of a training run",
            path=folder,
        )
    if recipe_kind(folder / "recipe.toml") == SEED_KIND:
        raise EvaluationError(
            reason="this run of the study generates color and luminance, and predicts no chroma",
            remedy="see the report of `saek study`",
            path=folder,
        )
    run = ChromaRunFolder(folder)
    if run.best.is_file():
        return _card_of_run(run)
    cards = installed_models(Library((folder,)))
    if len(cards) != 1:
        raise EvaluationError(
            reason=f"the folder has {len(cards)} model cards (.toml), and no best.safetensors of a run",
            remedy="name a folder with one card and its weights, or the folder of a training run",
            path=folder,
        )
    return cards[0]


def _card_of_run(run: ChromaRunFolder) -> ModelCard:
    """Return a card for the best weights of a run."""
    plan = read_recipe(run.recipe_file)
    architecture = ARCHITECTURES.get(plan.model.architecture)
    if architecture is None:
        raise EvaluationError(
            reason=f"the run trained {plan.model.architecture!r}, which predicts no chroma",
            remedy=f"name a run of one of these: {', '.join(ARCHITECTURES)}",
            path=run.path,
        )
    content = run.best.read_bytes()
    return ModelCard(
        name=run.path.resolve().name,
        summary=f"The best checkpoint of a run of the recipe {plan.name}.",
        architecture=plan.model.architecture,
        in_channels=1,
        out_channels=architecture.channels,
        multiple=architecture.multiple,
        working_side=-(-plan.working_side // architecture.multiple) * architecture.multiple,
        statistics=architecture.statistics,
        license="not stated",
        file=run.best.name,
        weights=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        folder=run.path,
    )
