"""Coloring of gray pictures by a generator of the study, and its metrics on the test pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from restoration.arrays.lab import lab
from restoration.evaluation.rendering import colored, left_gray
from restoration.generators.networks.unet import UNetGenerator
from restoration.study.dataset import DatasetPart
from restoration.study.networks import new_generator
from restoration.study.preprocessing import Bytes, Preprocessing, gray_of
from restoration.study.recipe import SeedRecipe
from restoration.training.dataset import chroma_of
from restoration.training.metrics import ColorMetrics, SetMetrics, ciede2000, colorfulness, mean_metrics

Colorizer = Callable[[Bytes], Bytes]
"""Function gray (H, W) -> sRGB (H, W, 3), uint8 both."""


def colorizer(generator: UNetGenerator, preprocessing: Preprocessing) -> Colorizer:
    """Return a function that colors one picture at a time in `eval()` mode, without dropout."""
    device = next(generator.parameters()).device

    @torch.inference_mode()
    def colorize(gray: Bytes) -> Bytes:
        learning = generator.training
        generator.eval()
        made: Bytes = preprocessing.picture(generator(preprocessing.condition(gray[None]).to(device)))[0]
        generator.train(learning)
        return made

    return colorize


def checkpoint_colorizer(recipe: SeedRecipe, weights: Path, device: torch.device) -> Colorizer:
    """Return the colorizer of a kept generator."""
    generator = new_generator(recipe)
    generator.load_state_dict(load_file(weights))
    return colorizer(generator.to(device), recipe.preprocessing)


def luminance_kept(made: Bytes, gray: Bytes) -> Bytes:
    """Combine the chroma of a colored picture (H, W, 3) with the gray one (H, W), whose luma stays exact."""
    return colored(gray, chroma_of(made))


def part_metrics(colorize: Colorizer, part: DatasetPart) -> SetMetrics:
    """Measure a colorizer on test pictures; its own luminance counts too."""
    entries = []
    for rgb in part.rgb:
        gray = gray_of(rgb)
        made, left, truth = (_metrics(shown, rgb) for shown in (colorize(gray), left_gray(gray), rgb))
        entries.append((made, left, truth))
    return mean_metrics("test", entries)


def _metrics(made: Bytes, true: Bytes) -> ColorMetrics:
    first, second = (one.astype(np.float32) / 255.0 for one in (made, true))
    return ColorMetrics(
        psnr=-10.0 * float(np.log10(max(float(np.mean((first - second) ** 2)), 1e-6))),
        chroma_l1=float(np.abs(chroma_of(made) - chroma_of(true)).mean()),
        ciede2000=float(ciede2000(lab(first[::2, ::2]), lab(second[::2, ::2])).mean()),
        colorfulness=colorfulness(first),
    )
