"""Samples: reproducible, at many scales, with neutral borders."""

import itertools

import numpy as np
import pytest
from skimage import data

from restoration.training.data import Picture, chroma_of
from restoration.training.recipe import DataPlan, Phase, TrainingError
from restoration.training.samples import batches, cut

ASTRONAUT = data.astronaut()[::2, ::2]
PICTURES = (
    Picture("a", "people", ASTRONAUT),
    Picture("b", "table", data.coffee()[::2, ::2]),
    Picture("c", "table", data.chelsea()[::2, ::2]),
)


def tiny(batch: int, size: int = 32, **facts: object) -> Phase:
    return Phase("tiny", samples=batch, batch=batch, size=size, **facts)


def test_a_batch_is_gray_and_chroma_in_range() -> None:
    (batch,) = batches(PICTURES, DataPlan(), 1, 0, [tiny(5, 48)])

    assert batch.gray.shape == (5, 1, 48, 48)
    assert batch.chroma.shape == (5, 2, 48, 48)
    assert batch.gray.dtype == batch.chroma.dtype == np.float32
    assert 0 <= batch.gray.min() <= batch.gray.max() <= 1
    assert np.abs(batch.chroma).max() <= 0.5


def test_a_run_resumed_at_batch_three_sees_the_batch_three_of_the_whole_run() -> None:
    phases = [tiny(2)] * 6
    whole = list(batches(PICTURES, DataPlan(), 9, 0, phases))

    resumed = list(batches(PICTURES, DataPlan(), 9, 3, phases[3:]))

    for first, second in zip(whole[3:], resumed, strict=True):
        assert np.array_equal(first.gray, second.gray)
        assert np.array_equal(first.chroma, second.chroma)


def test_batches_differ_by_number_and_by_seed() -> None:
    phases = [tiny(2)] * 2
    drawn = [*batches(PICTURES, DataPlan(), 1, 0, phases), *batches(PICTURES, DataPlan(), 2, 0, phases)]

    for first, second in itertools.combinations(drawn, 2):
        assert not np.array_equal(first.gray, second.gray)


def test_a_stream_that_is_left_early_ends_quietly() -> None:
    stream = batches(PICTURES, DataPlan(), 1, 0, [tiny(1)] * 50)
    next(stream)

    stream.close()

    assert list(stream) == []


@pytest.mark.parametrize("where", ["data", "phase"])
def test_a_set_without_a_share_is_not_seen(where: str) -> None:
    shares = {"people": 1.0}
    plan = DataPlan(shares=shares if where == "data" else {"table": 1.0}, bordered=0.0)
    phase = tiny(24, shares=shares if where == "phase" else {})

    (batch,) = batches(PICTURES, plan, 1, 0, [phase])

    planes = chroma_of(ASTRONAUT).reshape(2, -1)
    low, high = (planes.min(axis=1) - 0.05)[:, None, None], (planes.max(axis=1) + 0.05)[:, None, None]
    assert ((batch.chroma >= low) & (batch.chroma <= high)).all()


def test_shares_for_sets_that_are_not_there_are_told() -> None:
    with pytest.raises(TrainingError, match="no picture belongs to a set with a share"):
        list(batches(PICTURES, DataPlan(shares={"landscape": 1.0}), 1, 0, [tiny(1)]))


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
