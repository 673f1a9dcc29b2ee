"""Every engine against the reference, torch on the CPU in float32, on photographs."""

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save
from skimage import data

from restoration.arrays.lab import lab, shown_rgb
from restoration.generators.engines import open_engine
from restoration.generators.engines.engine import Engine
from restoration.generators.engines.graphs import GRAPHS
from restoration.generators.models import ModelCard, default_model, installed_models
from restoration.generators.networks.architectures import ARCHITECTURES
from restoration.generators.networks.statistics import freeze_statistics, measure_pooled
from restoration.training.metrics import ciede2000

MEAN, P99 = 0.3, 1.5
"""CIEDE2000: what an engine may be off by, over a picture and on its worst hundredth."""

ENGINES = (
    ("openvino", "cpu"),
    pytest.param(
        *("torch", "cuda"),
        marks=[
            pytest.mark.gpu,
            pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
        ],
    ),
)


@pytest.mark.parametrize("card", installed_models(), ids=lambda card: card.name)
@pytest.mark.parametrize(("engine", "device"), ENGINES)
def test_an_engine_colors_photographs_as_the_reference_does(
    engine: str, device: str, card: ModelCard
) -> None:
    reference = open_engine(card, "cpu", 1, "torch")
    tried = open_engine(card, device, 1, engine)

    off = {name: _off(reference, tried, gray) for name, gray in _photographs().items()}

    assert max(mean for mean, _ in off.values()) <= MEAN, off
    assert max(p99 for _, p99 in off.values()) <= P99, off


def test_bfloat16_does_not_pass_the_limit() -> None:
    """Otherwise the test above could hardly fail, and OpenVINO's default on new CPUs would pass."""
    reference = open_engine(default_model(), "cpu", 1, "torch")
    network = reference.network.bfloat16()
    exact = open_engine(default_model(), "cpu", 1, "torch")

    class Rounded:
        name = "torch/cpu-bfloat16"

        def predict(self, gray: NDArray[np.float32]) -> NDArray[np.float32]:
            with torch.inference_mode():
                return network(torch.from_numpy(gray)[:, None].bfloat16()).float().numpy()

    off = [_off(exact, Rounded(), gray) for gray in _photographs().values()]

    assert max(mean for mean, _ in off) > MEAN or max(p99 for _, p99 in off) > P99


def test_every_architecture_has_a_graph() -> None:
    assert GRAPHS.keys() == ARCHITECTURES.keys()


@pytest.mark.parametrize(
    "architecture",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name == "seed-unet" else [])  # 54 million weights
        for name in ARCHITECTURES
    ],
)
def test_a_graph_computes_what_the_network_does(architecture: str, tmp_path: Path) -> None:
    card = _fresh(architecture, tmp_path)
    gray = np.random.default_rng(5).random((2, 256, 256), dtype=np.float32)

    expected = open_engine(card, "cpu", 1, "torch").predict(gray)
    made = open_engine(card, "cpu", 1, "openvino").predict(gray)

    assert expected.std() > 1e-3
    assert np.abs(made - expected).max() < 1e-3 * np.abs(expected).max()


@pytest.mark.parametrize("blank", [False, True])
def test_statistics_are_pooled_as_in_the_reference(tmp_path: Path, *, blank: bool) -> None:
    card = _fresh("seed-unet-half", tmp_path)
    reference = open_engine(card, "cpu", 1, "torch").network
    generator = np.random.default_rng(5)
    pictures = generator.random((3, 256, 256), dtype=np.float32) * np.float32([[[1.0]], [[0.5]], [[0.2]]])
    if blank:
        pictures = 0.5 + 1e-3 * (pictures - 0.5)  # the network sees 2 x - 1: grain on nothing
    shares = np.float32([1.0, 2.0, 5.0])
    measured = measure_pooled(reference, torch.from_numpy(pictures)[:, None], torch.from_numpy(shares))
    gray = generator.random((2, 256, 512), dtype=np.float32)
    with torch.inference_mode():
        expected = freeze_statistics(reference, measured)(torch.from_numpy(gray)[:, None]).numpy()

    steady = open_engine(card, "cpu", 1, "openvino").with_statistics(pictures, shares)

    assert steady.name == "openvino/cpu/fresh"
    # On blank pictures the floor makes random ones a hundred times stronger, and differences with them.
    assert np.abs(steady.predict(gray) - expected).mean() < 1e-3 * np.abs(expected).mean()


def _off(reference: Engine, tried: Engine, gray: NDArray[np.float32]) -> tuple[float, float]:
    """Return mean and 99th percentile of the color difference over a picture."""
    one, other = (lab(shown_rgb(gray, engine.predict(gray[None])[0, :2])) for engine in (reference, tried))
    distance = ciede2000(one, other)
    return float(distance.mean()), float(np.percentile(distance, 99))


def _photographs() -> dict[str, NDArray[np.float32]]:
    pictures = {
        name: getattr(data, name)() for name in ("astronaut", "coffee", "chelsea", "rocket", "camera")
    }
    return {
        name: np.asarray(Image.fromarray(picture).convert("L").resize((384, 256)), np.float32) / 255
        for name, picture in pictures.items()
    }


def _fresh(architecture: str, folder: Path) -> ModelCard:
    """Return the card of a network of random weights whose layers all affect the output."""
    made = ARCHITECTURES[architecture]
    network = made.build()
    generator = torch.Generator().manual_seed(11)
    state = {}
    for name, tensor in network.state_dict().items():
        if tensor.ndim > 1:
            fan = tensor[0].numel() if tensor.shape[0] != 2 else tensor[0].numel() / 4
            state[name] = torch.randn(tensor.shape, generator=generator) * (2 / fan) ** 0.5
        elif tensor.is_floating_point():
            state[name] = 0.5 + torch.rand(tensor.shape, generator=generator)
        else:
            state[name] = tensor
    content = save(state)
    (folder / "fresh.safetensors").write_bytes(content)
    return dataclasses.replace(
        default_model(),
        name="fresh",
        architecture=architecture,
        multiple=made.multiple,
        statistics=made.statistics,
        file="fresh.safetensors",
        weights=hashlib.sha256(content).hexdigest(),
        folder=folder,
    )
