"""The models that come with Saek."""

from pathlib import Path

import numpy as np
import pytest
from skimage import data

from restoration.generators.engines import open_engine
from restoration.generators.models import (
    SHIPPED,
    ModelCard,
    default_model,
    installed_models,
    verify_model,
    weights_path,
)
from restoration.generators.networks.architectures import ARCHITECTURES


@pytest.mark.parametrize("card", installed_models(), ids=lambda card: card.name)
def test_every_card_tells_the_truth_about_its_weights(card: ModelCard) -> None:
    verify_model(card)

    assert weights_path(card).stat().st_size == card.bytes < 50 * 2**20


@pytest.mark.parametrize("card", installed_models(), ids=lambda card: card.name)
def test_every_card_agrees_with_its_architecture(card: ModelCard) -> None:
    architecture = ARCHITECTURES[card.architecture]

    assert (card.multiple, card.statistics) == (architecture.multiple, architecture.statistics)
    assert (card.in_channels, card.out_channels) == (1, architecture.channels)
    assert card.working_side % card.multiple == 0


@pytest.mark.parametrize("card", installed_models(), ids=lambda card: card.name)
def test_every_model_has_a_page(card: ModelCard) -> None:
    page = Path(SHIPPED, f"{card.name}.md").read_text("utf-8")

    assert card.weights in page
    for heading in ("Pictures", "Film", "Figures on test pictures", "Known failures", "Intended use"):
        assert f"## {heading}" in page


def test_no_weights_are_without_a_card() -> None:
    assert {path.name for path in SHIPPED.glob("*.safetensors")} == {card.file for card in installed_models()}


def test_nothing_is_pickled() -> None:
    assert not [
        path for path in SHIPPED.rglob("*") if path.suffix in {".pt", ".pth", ".pkl", ".bin", ".ckpt"}
    ]


def test_the_default_model_keeps_faces_warm_and_paper_gray() -> None:
    engine = open_engine(default_model(), device="cpu")
    astronaut = data.astronaut()[:256, 96:352]
    luma = (astronaut @ np.array([0.299, 0.587, 0.114]) / 255).astype(np.float32)
    blank = np.full((256, 256), 0.9, dtype=np.float32)

    face, paper = engine.predict(np.stack((luma, blank)))[:, :2]

    blue, red = face[:, 60:140, 90:160].mean(axis=(1, 2))
    assert red > 0.01 > -0.01 > blue
    assert np.abs(paper).mean() < 0.05
