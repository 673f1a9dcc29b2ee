"""Colors in evaluation equal those of restore."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import pyvips
from skimage import data

from restoration import Compute, Input, LoadedModel, Output, Preset, Recipe, restore
from restoration.arrays.luma import luma
from restoration.evaluation.rendering import colored, left_gray, predicted_chroma

GRAY = np.ascontiguousarray(data.camera()[100:347, 80:281])


@pytest.mark.parametrize("preset", [Preset.FAST, Preset.NATIVE])
def test_the_bytes_are_those_that_restore_writes(
    picture: Callable[..., Path],
    recipe: Callable[..., Recipe],
    loaded: LoadedModel,
    tmp_path: Path,
    preset: Preset,
) -> None:
    gray = np.kron(GRAY, np.ones((2, 2), np.uint8)) if preset is Preset.NATIVE else GRAY
    master = picture(gray, "master.png")

    restore(Input(master), recipe("png", preset=preset), Output(tmp_path / "out.png"), Compute(model=loaded))
    ours = colored(gray, predicted_chroma(gray, preset, loaded))

    theirs = pyvips.Image.new_from_file(str(tmp_path / "out.png")).numpy()
    assert (ours == theirs[..., :3]).all()
    assert (ours != left_gray(gray)).any()


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0, 2.0])
def test_the_luma_stays_at_every_strength(loaded: LoadedModel, strength: float) -> None:
    made = colored(GRAY, predicted_chroma(GRAY, Preset.FAST, loaded), strength)

    assert (luma(made) == GRAY).all()
    assert (made == left_gray(GRAY)).all() == (strength == 0.0)


def test_a_picture_above_the_guide_is_colored_at_full_size(loaded: LoadedModel) -> None:
    long = np.tile(GRAY[:40], (1, 9))

    assert predicted_chroma(long, Preset.FAST, loaded).shape == (2, *long.shape)
