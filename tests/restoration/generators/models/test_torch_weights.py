"""Weights in fewer bits: round trip and maximum error."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load, save

from restoration.generators.models.torch_weights import (
    MIN_INT8_WEIGHTS,
    SCALE,
    Storage,
    pack_weights,
    unpack_weights,
)
from restoration.generators.networks.lite0_unet import Lite0Unet


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(3)
    return Lite0Unet().state_dict()


@pytest.mark.parametrize("storage", Storage)
def test_a_state_comes_back_with_its_names_shapes_and_types(
    state: dict[str, torch.Tensor], storage: Storage
) -> None:
    back = unpack_weights(load(save(pack_weights(state, storage))))

    assert {name: (tensor.shape, tensor.dtype) for name, tensor in back.items()} == {
        name: (tensor.shape, tensor.dtype) for name, tensor in state.items()
    }
    Lite0Unet().load_state_dict(back)


@pytest.mark.parametrize("storage", Storage)
def test_vectors_and_counters_are_kept_as_they_are(state: dict[str, torch.Tensor], storage: Storage) -> None:
    back = unpack_weights(pack_weights(state, storage))

    assert all(torch.equal(back[name], tensor) for name, tensor in state.items() if tensor.ndim < 2)


def test_fewer_bits_are_fewer_bytes(state: dict[str, torch.Tensor]) -> None:
    sizes = {storage: len(save(pack_weights(state, storage))) for storage in Storage}

    assert sizes[Storage.BF16] < 0.55 * sizes[Storage.FP32]
    assert sizes[Storage.FP16] < 0.55 * sizes[Storage.FP32]
    assert sizes[Storage.INT8] < 0.6 * sizes[Storage.FP16]


@given(st.lists(st.floats(-1e4, 1e4, width=32), min_size=6, max_size=6), st.floats(1e-3, 1e3))
def test_int8_is_off_by_half_a_step_of_its_channel_at_most(values: list[float], gain: float) -> None:
    tensor = torch.tensor(values).reshape(2, 3, 1) * torch.tensor([1.0, gain]).reshape(2, 1, 1)
    tensor = tensor.repeat(1, 1, MIN_INT8_WEIGHTS)

    stored = pack_weights({"w": tensor}, Storage.INT8)
    error = (unpack_weights(stored)["w"] - tensor).abs().flatten(1).amax(dim=1)

    assert stored["w"].dtype is torch.int8
    assert stored["w" + SCALE].shape == (2,)
    largest = tensor.abs().flatten(1).amax(dim=1)
    assert bool((error <= largest / 254 * 1.001 + 1e-30).all())


def test_a_channel_of_zeros_stays_so() -> None:
    assert not unpack_weights(pack_weights({"w": torch.zeros(4, MIN_INT8_WEIGHTS)}, Storage.INT8))["w"].any()


def test_kernels_of_few_weights_stay_fp16_beside_int8() -> None:
    stored = pack_weights({"few": torch.rand(32, 1, 3, 3), "many": torch.rand(256, 64)}, Storage.INT8)

    assert {name: tensor.dtype for name, tensor in stored.items()} == {
        "few": torch.float16,
        "many": torch.int8,
        "many" + SCALE: torch.float32,
    }


@pytest.mark.parametrize(
    "scale", [None, torch.ones(3), torch.ones(4, 1), torch.ones(4, dtype=torch.int32)], ids=str
)
def test_int8_without_a_scale_for_each_channel_is_refused(scale: torch.Tensor | None) -> None:
    stored = {"w": torch.ones(4, 2, dtype=torch.int8)}
    if scale is not None:
        stored["w" + SCALE] = scale

    with pytest.raises(ValueError, match="no scale for each of its channels"):
        unpack_weights(stored)


def test_a_parameter_that_is_itself_called_scale_is_kept() -> None:
    state = {"norm.scale": torch.ones(4), "w": torch.ones(4, MIN_INT8_WEIGHTS)}

    assert unpack_weights(pack_weights(state, Storage.INT8)).keys() == state.keys()
