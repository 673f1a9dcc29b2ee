"""How a generator of the study paints gray pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from restoration.arrays.lab import lab
from restoration.evaluation.rendering import colored
from restoration.generators.networks.unet import UNetGenerator
from restoration.study.dataset import DatasetPart
from restoration.study.networks import new_generator
from restoration.study.preprocessing import Bytes, Preprocessing, gray_of
from restoration.study.recipe import SeedRecipe
from restoration.training.dataset import chroma_of
from restoration.training.metrics import ColorMetrics, SetMetrics, ciede2000, colorfulness

Colorizer = Callable[[Bytes], Bytes]
"""Gray bytes (H, W) -> color bytes (H, W, 3)."""


def colorizer(generator: UNetGenerator, preprocessing: Preprocessing) -> Colorizer:
    """Return what a generator paints in `eval()` mode, one picture at a time: its dropout is silent."""
    device = next(generator.parameters()).device

    @torch.inference_mode()
    def paint(gray: Bytes) -> Bytes:
        learning = generator.training
        generator.eval()
        made: Bytes = preprocessing.picture(generator(preprocessing.condition(gray[None]).to(device)))[0]
        generator.train(learning)
        return made

    return paint


def checkpoint_colorizer(recipe: SeedRecipe, weights: Path, device: torch.device) -> Colorizer:
    """Return what the generator of a checkpoint paints."""
    generator = new_generator(recipe)
    generator.load_state_dict(load_file(weights))
    return colorizer(generator.to(device), recipe.preprocessing)


def luminance_kept(painted: Bytes, gray: Bytes) -> Bytes:
    """Lay the chroma of a painted picture (H, W, 3) on the gray one (H, W), whose luma stays exact."""
    return colored(gray, chroma_of(painted))


def part_metrics(paint: Colorizer, part: DatasetPart) -> SetMetrics:
    """Measure a painter on the test pictures, as it paints, luminance and all."""
    entries = [_measured(paint, rgb) for rgb in part.rgb]
    made, gray, truth = (_mean([entry[place] for entry in entries]) for place in range(3))
    return SetMetrics("test", len(part), made, gray, truth)


def _measured(paint: Colorizer, rgb: Bytes) -> tuple[ColorMetrics, ...]:
    gray = gray_of(rgb)
    return tuple(_figures(shown, rgb) for shown in (paint(gray), np.repeat(gray[..., None], 3, axis=2), rgb))


def _figures(made: Bytes, true: Bytes) -> ColorMetrics:
    first, second = (one.astype(np.float32) / 255.0 for one in (made, true))
    return ColorMetrics(
        psnr=-10.0 * float(np.log10(max(float(np.mean((first - second) ** 2)), 1e-6))),
        chroma_l1=float(np.abs(chroma_of(made) - chroma_of(true)).mean()),
        ciede2000=float(ciede2000(lab(first[::2, ::2]), lab(second[::2, ::2])).mean()),
        colorfulness=colorfulness(first),
    )


def _mean(figures: list[ColorMetrics]) -> ColorMetrics:
    def means() -> Iterator[float]:
        for name in ("psnr", "chroma_l1", "ciede2000", "colorfulness"):
            yield float(np.mean([getattr(one, name) for one in figures]))

    return ColorMetrics(*means())
