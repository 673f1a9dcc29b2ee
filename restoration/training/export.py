"""A run becomes a model: weights in half precision, a card for the registry, a card for people."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

from safetensors.torch import load_file, save
from torch import Tensor

from restoration.models.registry import SHIPPED, ModelCard, card_toml
from restoration.pix2pix.chroma import ARCHITECTURES
from restoration.training.model_page import model_page
from restoration.training.recipe import TrainingError, read_recipe
from restoration.training.run import RunFolder, write_atomically

LICENSE = "Apache-2.0"


def export(run: Path, name: str, folder: Path = SHIPPED, *, default: bool = False) -> ModelCard:
    """Put a run's best weights into a registry's folder: `name`.safetensors, .toml and .md.

    The card is written last, so that a model is listed only when it is whole. Raises TrainingError if the
    run has no weights or no figures yet.
    """
    source = RunFolder(run)
    for needed in (source.best, source.metrics, source.facts):
        if not needed.is_file():
            raise TrainingError(
                reason=f"the run has no {needed.name}", remedy="let the training come to its end", path=run
            )
    plan = read_recipe(source.path / "recipe.toml")
    architecture = ARCHITECTURES[plan.subject.architecture]
    content = save(halved(load_file(source.best)))
    card = ModelCard(
        name=name,
        summary=f"Recipe {plan.name}: {plan.subject.architecture}, gray in, chroma out.",
        architecture=plan.subject.architecture,
        in_channels=1,
        out_channels=2,
        multiple=architecture.multiple,
        working_side=math.ceil(plan.working_side / architecture.multiple) * architecture.multiple,
        statistics=architecture.statistics,
        license=LICENSE,
        file=f"{name}.safetensors",
        weights=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        default=default,
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / card.file, content)
    write_atomically(folder / f"{name}.md", model_page(card, plan, source).encode())
    write_atomically(folder / f"{name}.toml", card_toml(card).encode())
    return card


def halved(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Store kernels and matrices in half precision; vectors (normalization, biases) keep their range.

    Counters of batches are left as they are.
    """
    return {name: tensor.half() if tensor.ndim > 1 else tensor for name, tensor in state.items()}
