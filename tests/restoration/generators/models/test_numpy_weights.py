"""Weights read without torch equal those that torch reads, bit for bit."""

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from restoration.generators.models.numpy_weights import read_arrays
from restoration.generators.models.torch_weights import (
    MIN_INT8_WEIGHTS,
    SCALE,
    Storage,
    pack_weights,
    unpack_weights,
)
from restoration.generators.networks.lite0_unet import Lite0Unet


@pytest.mark.parametrize("storage", Storage)
def test_every_storage_gives_the_numbers_that_torch_gets(storage: Storage) -> None:
    torch.manual_seed(3)
    content = save(pack_weights(Lite0Unet().state_dict(), storage))

    arrays, tensors = read_arrays(content), unpack_weights(load(content))

    assert arrays.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert arrays[name].dtype == tensor.numpy().dtype
        assert arrays[name].shape == tuple(tensor.shape)
        assert arrays[name].tobytes() == tensor.numpy().tobytes()


def test_a_parameter_that_is_itself_called_scale_is_kept() -> None:
    state = {"norm.scale": torch.ones(4), "w": torch.ones(4, MIN_INT8_WEIGHTS)}

    assert read_arrays(save(pack_weights(state, Storage.INT8))).keys() == state.keys()


@pytest.mark.parametrize(
    "scale", [None, torch.ones(3), torch.ones(4, 1), torch.ones(4, dtype=torch.int64)], ids=str
)
def test_int8_without_a_scale_for_each_channel_is_refused(scale: torch.Tensor | None) -> None:
    stored = {"w": torch.ones(4, 2, dtype=torch.int8)}
    if scale is not None:
        stored["w" + SCALE] = scale

    with pytest.raises(ValueError, match="no scale for each of its channels"):
        read_arrays(save(stored))


def test_what_is_no_weights_file_is_refused() -> None:
    whole = save({"w": torch.rand(3, 3)})

    for damaged in (b"", b"other bytes", whole[:-1]):
        with pytest.raises(ValueError, match="not a complete safetensors file"):
            read_arrays(damaged)
    with pytest.raises(ValueError, match="F64"):
        read_arrays(save({"w": torch.rand(3, dtype=torch.float64)}))


def test_the_arrays_outlive_the_bytes_they_were_read_from() -> None:
    content = bytearray(save({"w": torch.arange(6.0).half()}))
    arrays = read_arrays(bytes(content))
    content[:] = bytes(len(content))

    assert np.array_equal(arrays["w"], np.arange(6.0))
