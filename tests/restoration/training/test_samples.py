"""Training samples: reproducible, scaled, bordered."""

import itertools

import numpy as np
import pytest
from PIL import Image
from skimage import data

from restoration.training.dataset import Picture, chroma_of
from restoration.training.recipe import DataPlan, ModelPlan, Phase, TrainingError, TrainingRecipe
from restoration.training.samples import Batch, cropped, cut, sampler_of, whole

ASTRONAUT = data.astronaut()[::2, ::2]
PICTURES = (
    Picture("a", "people", ASTRONAUT),
    Picture("b", "table", data.coffee()[::2, ::2]),
    Picture("c", "table", data.chelsea()[::2, ::2]),
)

OF_PICTURES = ModelPlan("seed-unet", statistics="picture")


def tiny(batch: int, size: int = 32, **facts: object) -> Phase:
    return Phase("tiny", samples=batch, batch=batch, size=size, **facts)


def batches(plan: DataPlan, seed: int, first: int, phases: list[Phase], **facts: object) -> list[Batch]:
    recipe = TrainingRecipe("tiny", tuple(phases[:1]), seed=seed, data=plan, **facts)
    drawn = sampler_of(PICTURES, recipe)
    return [drawn.batch(number, phase) for number, phase in enumerate(phases, start=first)]


def test_a_batch_is_gray_and_chroma_in_range() -> None:
    (batch,) = batches(DataPlan(), 1, 0, [tiny(5, 48)])

    assert batch.gray.shape == (5, 1, 48, 48)
    assert batch.chroma.shape == (5, 2, 48, 48)
    assert batch.wholes.shape == (0, 1, 48, 48)
    assert batch.gray.dtype == batch.chroma.dtype == np.float32
    assert 0 <= batch.gray.min() <= batch.gray.max() <= 1
    assert np.abs(batch.chroma).max() <= 0.5


def test_batches_differ_by_number_and_by_seed() -> None:
    phases = [tiny(2)] * 2
    drawn = [*batches(DataPlan(), 1, 0, phases), *batches(DataPlan(), 2, 0, phases)]

    for first, second in itertools.combinations(drawn, 2):
        assert not np.array_equal(first.gray, second.gray)


@pytest.mark.parametrize("where", ["data", "phase"])
def test_a_set_without_a_share_is_not_seen(where: str) -> None:
    shares = {"people": 1.0}
    plan = DataPlan(shares=shares if where == "data" else {"table": 1.0}, bordered=0.0)
    phase = tiny(24, shares=shares if where == "phase" else {})

    (batch,) = batches(plan, 1, 0, [phase])

    planes = chroma_of(ASTRONAUT).reshape(2, -1)
    low, high = (planes.min(axis=1) - 0.05)[:, None, None], (planes.max(axis=1) + 0.05)[:, None, None]
    assert ((batch.chroma >= low) & (batch.chroma <= high)).all()


def test_shares_for_sets_that_are_not_there_are_told() -> None:
    with pytest.raises(TrainingError, match="no picture belongs to a set with a share"):
        batches(DataPlan(shares={"landscape": 1.0}), 1, 0, [tiny(1)])


def test_crops_come_last_with_their_whole_pictures() -> None:
    (batch,) = batches(DataPlan(whole=0.25, bordered=0.25), 1, 0, [tiny(8)], model=OF_PICTURES)

    assert batch.gray.shape == (8, 1, 32, 32)
    assert batch.wholes.shape == (4, 1, 32, 32)
    assert min(batch.gray.min(), batch.wholes.min()) >= 0
    assert max(batch.gray.max(), batch.wholes.max()) <= 1
    assert np.abs(batch.chroma).max() <= 0.5


def test_a_crop_and_its_whole_are_on_one_film() -> None:
    flat = np.full((64, 80, 3), 120, dtype=np.uint8)
    tones = [cropped(flat, 32, DataPlan(), np.random.default_rng(seed)) for seed in range(40)]
    crops, wholes = (np.array([np.median(tone[part]) for tone in tones]) for part in (0, 2))

    assert wholes.std() > 0.05  # films differ
    assert np.median(np.abs(crops - wholes)) < 0.2 * wholes.std()
    assert np.corrcoef(crops, wholes)[0, 1] > 0.8


def test_gray_and_color_of_a_crop_show_the_same_place() -> None:
    fields = np.kron(np.random.default_rng(3).random((8, 10)) < 0.5, np.ones((24, 24), dtype=bool))
    picture = np.where(fields[..., None], (255, 190, 190), (15, 15, 45)).astype(np.uint8)

    for seed in range(8):
        gray, chroma, _ = cropped(picture, 64, DataPlan(), np.random.default_rng(seed))
        assert np.corrcoef(gray.ravel(), chroma[1].ravel())[0, 1] > 0.8


def test_a_crop_is_found_again_in_its_whole_picture() -> None:
    plan = DataPlan(tightest=0.999)  # as large as the shorter side, anywhere along the longer one
    for seed in range(4):
        gray, _, seen = cropped(ASTRONAUT[:, :192], 96, plan, np.random.default_rng(seed))
        small = np.asarray(Image.fromarray(gray).resize((72, 72), Image.Resampling.BICUBIC))
        height = 96 - 72
        likeness = max(
            np.corrcoef(small.ravel(), seen[top : top + 72, :72].ravel())[0, 1] for top in range(height + 1)
        )
        assert likeness > 0.97


def test_a_whole_picture_keeps_its_aspect_and_is_reflected() -> None:
    wide = np.full((40, 80, 3), (200, 40, 40), dtype=np.uint8)
    wide[:6] = (40, 40, 200)

    for seed in range(6):
        gray, chroma = whole(wide, 64, DataPlan(whole=1.0, bordered=0.0), np.random.default_rng(seed))
        assert gray.shape == (64, 64)
        assert chroma.shape == (2, 64, 64)
        assert np.array_equal(chroma[:, 32:62], chroma[:, 30:0:-1])


def test_a_picture_smaller_than_a_sample_is_enlarged() -> None:
    (batch,) = batches(DataPlan(), 1, 0, [tiny(6, 320)], model=OF_PICTURES)

    assert np.isfinite(batch.gray).all()
    assert batch.gray.shape == (6, 1, 320, 320)


def test_a_whole_picture_shows_its_full_shorter_side() -> None:
    stripes = np.zeros((64, 96, 3), dtype=np.uint8)
    stripes[:32] = 255

    for seed in range(8):
        sample = cut(stripes, 32, DataPlan(whole=1.0, bordered=0.0), np.random.default_rng(seed))
        assert sample[:14].min() > 240
        assert sample[18:].max() < 15


def test_a_border_is_neutral_and_the_picture_is_whole_within() -> None:
    red = np.full((64, 96, 3), (200, 40, 40), dtype=np.uint8)

    for seed in range(8):
        sample = cut(red, 64, DataPlan(bordered=1.0), np.random.default_rng(seed))
        inside = (sample == (200, 40, 40)).all(axis=2)
        border = sample[~inside]
        assert 0.3 < inside.mean() < 0.7
        assert (border.max(axis=1) == border.min(axis=1)).all()


def test_samples_are_mirrored_half_of_the_time() -> None:
    ramp = np.repeat(np.linspace(0, 255, 64).astype(np.uint8)[None, :, None], 64, axis=0).repeat(3, axis=2)
    plan = DataPlan(whole=1.0, bordered=0.0)

    mirrored = [cut(ramp, 32, plan, np.random.default_rng(seed))[0, 0, 0] > 128 for seed in range(60)]

    assert 15 < sum(mirrored) < 45
