import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from restoration.training.dataset import Picture, chroma_of
from restoration.training.recipe import DataPlan, Phase, TrainingRecipe
from restoration.training.samples import sampler_of
from restoration.training.white_balance import cooler_odds, warmth, white_balanced

PHOTOGRAPH = np.asarray(data.coffee())[::4, ::4]


def test_a_picture_in_neutral_or_cool_light_is_left_alone() -> None:
    gray = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 3, axis=2)
    cool = gray.copy()
    cool[..., 0] //= 2
    for picture in (gray, cool):
        assert white_balanced(picture, 1.0) is picture


def test_yellowed_paper_becomes_whiter_unless_the_part_is_0() -> None:
    paper = np.full((12, 12, 3), (240, 225, 195), dtype=np.uint8)

    assert white_balanced(paper, 0.0) is paper
    half = white_balanced(paper, 0.5)
    spread = half[0, 0].astype(int)
    assert spread[0] - spread[2] < 30 < 240 - 195


def test_the_luminance_of_the_light_is_kept() -> None:
    before, after = (
        ((picture / 255.0) ** 2.2 @ np.array([0.2126, 0.7152, 0.0722])).mean()
        for picture in (PHOTOGRAPH, white_balanced(PHOTOGRAPH, 0.6))
    )
    assert after == pytest.approx(before, rel=0.03)


def test_balancing_makes_a_warm_photograph_less_warm() -> None:
    warm = PHOTOGRAPH.copy()
    warm[..., 2] = warm[..., 2] * 0.7
    assert warmth(chroma_of(white_balanced(warm, 0.6))) < warmth(chroma_of(warm))


def test_warm_pictures_are_drawn_less_often_by_e_for_each_step() -> None:
    odds = np.full(3, 1 / 3)
    warmths: NDArray[np.float64] = np.array([0.0, 0.1, 0.2])

    drawn = cooler_odds(odds, warmths, 0.1)

    assert drawn.sum() == pytest.approx(1.0)
    assert drawn[0] / drawn[1] == pytest.approx(np.e)
    assert drawn[1] / drawn[2] == pytest.approx(np.e)
    assert cooler_odds(odds, warmths, 0.0) is odds


def test_a_warm_step_draws_the_cool_picture_more_often() -> None:
    cool = np.full((32, 32, 3), (90, 110, 140), dtype=np.uint8)
    pictures = [Picture("warm", "one", cool[..., ::-1].copy()), Picture("cool", "one", cool)]

    def odds(step: float) -> NDArray[np.float64]:
        phase = Phase("only", 16)
        recipe = TrainingRecipe("trial", (phase,), data=DataPlan(warm_step=step))
        return sampler_of(pictures, recipe).odds["only"]

    assert odds(0.0) == pytest.approx([0.5, 0.5])
    warm, cold = odds(0.1)
    assert cold > 2 * warm
