"""Layer configuration of the generator on EfficientNet-Lite0, for torch and OpenVINO."""

from __future__ import annotations

from typing import Final

# The lite networks were trained on (byte - 127) / 128, not on ImageNet's mean and deviation of each channel.
INPUT_MEAN: Final = 127 / 255
INPUT_STD: Final = 128 / 255

# EfficientNet-Lite0: (repeats, kernel, stride, expansion, output channels) of each stage.
LITE0_STAGES: Final = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
LITE0_STEM: Final = 32
LITE0_HEAD: Final = 1280

# The last block at each resolution, and its channels: strides 2, 4, 8, 16.
SKIP_BLOCKS: Final = (0, 2, 4, 10)
SKIP_CHANNELS: Final = (16, 24, 40, 112)
DECODER_CHANNELS: Final = (192, 96, 64, 32)

MIN_ERROR: Final = 0.002
"""Minimum predicted error, the distance of (Cb, Cr) from the truth: half a step of 255."""

NORM_EPSILON: Final = 1e-3
"""Added to the variance of each batch normalization of the encoder."""


def same_padding(kernel: int, stride: int) -> tuple[int, int]:
    """Return the zeros before and after each axis of TensorFlow's "same" padding for even sides."""
    total = kernel - stride if stride > 1 else kernel - 1
    return total // 2, total - total // 2
