"""Windows of a generator that normalizes by instance share the statistics of the picture."""

import numpy as np
import pytest
import torch
from skimage import data

from restoration import Preset
from restoration.arrays import resample
from restoration.colorize.inference import colorize
from restoration.colorize.plan import count_windows
from restoration.colorize.shared_statistics import with_shared_statistics
from restoration.errors import EngineUnavailable
from restoration.generators.engines.torch_engine import TorchEngine
from restoration.generators.models import InputSpec, ModelCard
from restoration.generators.networks.architectures import SeedChroma

SPEC = InputSpec(256, 256, "instance")


@pytest.fixture(scope="module")
def seed() -> TorchEngine:
    """A small generator of the seed's kind."""
    torch.manual_seed(5)
    network = SeedChroma(base=4).eval()
    card = ModelCard("seed", "", "seed-unet", 1, 2, 256, 256, "instance", "Apache-2.0", "none", "0" * 64, 0)
    return TorchEngine(card, network, torch.device("cpu"))


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    return data.camera().astype(np.float32) / np.float32(255)


def test_statistics_of_the_own_picture_change_nothing(seed: TorchEngine, photograph: np.ndarray) -> None:
    whole = resample.reduce(photograph, 256, 256)
    steady, measured = with_shared_statistics(seed, SPEC, whole)
    assert measured == 1
    ours, theirs = steady.predict(whole[None]), seed.predict(whole[None])
    assert np.abs(ours - theirs).mean() < 0.05 * np.abs(theirs).mean()


def test_windows_do_not_get_palettes_of_their_own(seed: TorchEngine, photograph: np.ndarray) -> None:
    whole = resample.reduce(photograph, 256, 256)
    steady, measured = with_shared_statistics(seed, SPEC, whole, photograph)
    assert measured == 1 + 4
    sky, man = photograph[None, :256, 256:], photograph[None, 100:356, 100:356]
    joint = np.concatenate((sky, man))
    apart = np.concatenate((steady.predict(sky), steady.predict(man)))
    assert np.allclose(steady.predict(joint), apart, atol=1e-5)
    assert np.abs(seed.predict(sky) - steady.predict(sky)).mean() > 0.01


@pytest.mark.parametrize("preset", Preset)
def test_the_cost_counts_the_measured_windows(
    seed: TorchEngine, photograph: np.ndarray, preset: Preset
) -> None:
    field = colorize(photograph[:, :300], preset, SPEC, seed)
    assert field.windows == count_windows(512, 300, preset, SPEC)


def test_a_generator_with_fixed_statistics_is_unchanged(seed: TorchEngine) -> None:
    assert with_shared_statistics(seed, InputSpec(256, 32), np.zeros((256, 256), np.float32)) == (seed, 0)


def test_an_engine_without_statistics_is_refused(photograph: np.ndarray) -> None:
    class Plain:
        name = "test/cpu/plain"

        def predict(self, gray: np.ndarray) -> np.ndarray:
            return np.zeros((len(gray), 2, *gray.shape[1:]), np.float32)

    with pytest.raises(EngineUnavailable, match="test/cpu/plain"):
        with_shared_statistics(Plain(), SPEC, photograph)


def test_fixed_statistics_are_never_measured(photograph: np.ndarray, seed: TorchEngine) -> None:
    from dataclasses import replace  # noqa: PLC0415

    fixed = replace(seed, card=replace(seed.card, statistics="fixed"))
    with pytest.raises(ValueError, match="does not normalize by instance"):
        fixed.with_statistics(photograph[None], np.ones(1, np.float32))
