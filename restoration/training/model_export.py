"""A run becomes a model: weights in fewer bits, a card for the registry, a page for people."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

from safetensors.torch import load_file, save

from restoration.generators.models import SHIPPED, ModelCard, Storage, card_toml
from restoration.generators.models.card import card_of
from restoration.generators.models.import_card import card_metadata
from restoration.generators.models.torch_weights import pack_weights
from restoration.generators.networks.architectures import ARCHITECTURES
from restoration.training.model_page import model_page
from restoration.training.recipe import TrainingError, read_recipe
from restoration.training.run_folder import RunFolder, write_atomically

LICENSE = "Apache-2.0"


def export_model(
    run: Path,
    name: str,
    folder: Path = SHIPPED,
    *,
    default: bool = False,
    storage: Storage = Storage.FP16,
) -> ModelCard:
    """Put a run's best weights into a registry's folder: `name`.safetensors, .toml and .md.

    The weights file holds the card too, but for its own checksum, so that it alone is a model that can be
    imported. The card's file is written last, so that a model is listed only when it is whole. Raises
    TrainingError if the run has no weights or no figures yet.
    """
    source = RunFolder(run)
    for needed in (source.best, source.metrics, source.facts):
        if not needed.is_file():
            raise TrainingError(
                reason=f"the run has no {needed.name}", remedy="let the training come to its end", path=run
            )
    plan = read_recipe(source.path / "recipe.toml")
    architecture = ARCHITECTURES[plan.subject.architecture]
    facts: dict[str, str | int | bool] = {
        "name": name,
        "summary": f"Recipe {plan.name}: {plan.subject.architecture}, gray in, chroma out.",
        "architecture": plan.subject.architecture,
        "in_channels": 1,
        "out_channels": architecture.channels,
        "multiple": architecture.multiple,
        "working_side": math.ceil(plan.working_side / architecture.multiple) * architecture.multiple,
        "statistics": architecture.statistics,
        "license": LICENSE,
    }
    content = save(pack_weights(load_file(source.best), storage), card_metadata(facts))
    card = card_of(
        {
            **facts,
            "file": f"{name}.safetensors",
            "weights": hashlib.sha256(content).hexdigest(),
            "bytes": len(content),
            "default": default,
        },
        folder,
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / card.file, content)
    write_atomically(folder / f"{name}.md", model_page(card, plan, source).encode())
    write_atomically(folder / f"{name}.toml", card_toml(card).encode())
    return card
