"""Export of a training run as a model: packed weights, card and page."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

from safetensors.torch import load_file, save

from restoration.atomic_write import write_file
from restoration.generators.models import SHIPPED, ModelCard, Storage, card_toml
from restoration.generators.models.card import card_of
from restoration.generators.models.import_card import card_metadata
from restoration.generators.models.torch_weights import pack_weights
from restoration.generators.networks.architectures import ARCHITECTURES
from restoration.training.model_page import model_page
from restoration.training.recipe import TrainingError, read_recipe
from restoration.training.run_folder import ChromaRunFolder

LICENSE = "Apache-2.0"


def export_run(
    run: Path,
    name: str,
    folder: Path = SHIPPED,
    *,
    default: bool = False,
    storage: Storage = Storage.FP16,
) -> ModelCard:
    """Write a run's best weights into a registry's folder: `name`.safetensors, .toml and .md.

    The weights file contains the card too, except its own checksum, so that it can be imported alone. The
    card is written last, so that a model is listed only when it is complete. Raises TrainingError if the run
    has no weights or metrics yet, NoSpace, OutputUnavailable.
    """
    source = ChromaRunFolder(run)
    for needed in (source.best, source.metrics, source.facts):
        if not needed.is_file():
            raise TrainingError(
                reason=f"the run has no {needed.name}", remedy="let the training finish", path=run
            )
    plan = read_recipe(source.recipe_file)
    architecture = ARCHITECTURES[plan.model.architecture]
    facts: dict[str, str | int | bool] = {
        "name": name,
        "summary": f"Recipe {plan.name}: {plan.model.architecture}, gray in, chroma out.",
        "architecture": plan.model.architecture,
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
    write_file(folder / card.file, content)
    write_file(folder / f"{name}.md", model_page(card, plan, source).encode())
    write_file(folder / f"{name}.toml", card_toml(card).encode())
    return card
