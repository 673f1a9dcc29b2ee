"""Weights as torch tensors, in fewer bits in the file.

Kernels and matrices are stored in fewer bits; vectors (normalization, biases) stay float32 and counters
unchanged, since they are small and their range is wide. `int8` is symmetric with a scale for each output
channel: `NAME` holds round(w / scale) in [-127, 127] and `NAME.scale` the scales, float32 (channels,). Small
kernels (the first, the last, the depthwise ones) stay fp16 beside int8: that makes the file 1.4 % larger and
the error of the chroma 70 % smaller. The types of the tensors in the file say how it is stored: no card and
no setting does.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from restoration.generators.models.weights import Storage

SCALE = ".scale"
"""Suffix of the tensor with the scales of an int8 tensor."""

MIN_INT8_WEIGHTS = 1 << 14
"""Tensors of fewer weights are not quantized to int8."""


_FLOATS = {Storage.FP32: torch.float32, Storage.FP16: torch.float16, Storage.BF16: torch.bfloat16}


def pack_weights(state: Mapping[str, Tensor], storage: Storage) -> dict[str, Tensor]:
    """Return a state dict (float32) as it is stored; the first axis is that of the output channels."""
    stored: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if tensor.ndim < 2:
            stored[name] = tensor
        elif storage is Storage.INT8:
            if tensor.numel() < MIN_INT8_WEIGHTS:
                stored[name] = tensor.half()
            else:
                stored[name], stored[name + SCALE] = _quantized(tensor.float())
        else:
            stored[name] = tensor.to(_FLOATS[storage])
    return stored


def unpack_weights(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the state that `pack_weights` stored, floats as float32, int8 tensors times their scales.

    Raises ValueError if an int8 tensor comes without a scale for each of its channels.
    """
    state: dict[str, Tensor] = {}
    for name, tensor in stored.items():
        if is_scale(name, stored):
            continue
        if tensor.dtype is torch.int8:
            state[name] = _dequantized(name, tensor, stored.get(name + SCALE))
        else:
            state[name] = tensor.float() if tensor.is_floating_point() else tensor
    return state


def is_scale(name: str, stored: Mapping[str, object]) -> bool:
    """Return whether a tensor of a file holds the scales of another one."""
    return name.endswith(SCALE) and name.removesuffix(SCALE) in stored


def _quantized(tensor: Tensor) -> tuple[Tensor, Tensor]:
    scale = tensor.flatten(1).abs().amax(dim=1) / 127.0
    steps = tensor / _along_channels(torch.where(scale > 0, scale, torch.ones_like(scale)), tensor)
    return steps.round().clamp(-127, 127).to(torch.int8), scale


def _dequantized(name: str, tensor: Tensor, scale: Tensor | None) -> Tensor:
    if tensor.ndim < 2 or scale is None or scale.shape != tensor.shape[:1] or not scale.is_floating_point():
        raise ValueError(f"the int8 tensor {name} has no scale for each of its channels")
    return tensor.float() * _along_channels(scale.float(), tensor)


def _along_channels(scale: Tensor, tensor: Tensor) -> Tensor:
    return scale.reshape(-1, *(1,) * (tensor.ndim - 1))
