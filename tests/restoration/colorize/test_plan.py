import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restoration import Preset
from restoration.arrays import resample, tiling
from restoration.colorize.input_pieces import ONE_PIECE, SHOWN, pieces
from restoration.colorize.plan import (
    LOOK,
    Sizes,
    cost,
    count_windows,
    guide_side,
    passes,
    sampled,
    whole_shape,
)

FIXED = Sizes(256, 32)
INSTANCE = Sizes(256, 256, "instance")


def test_fast_is_two_looks_at_the_whole_picture() -> None:
    planned = passes(600, 500, Preset.FAST, FIXED)
    assert [(one.shape, one.mirrored) for one in planned.palette] == [((256, 213), False), ((320, 267), True)]
    assert not planned.details
    assert count_windows(6000, 5000, Preset.FAST, FIXED) == 1 + 2


@pytest.mark.parametrize("preset", Preset)
def test_a_small_picture_is_enlarged_for_its_second_look(preset: Preset) -> None:
    planned = passes(100, 200, preset, FIXED)
    assert [one.shape for one in planned.palette] == [(128, 256), (160, 320)]
    assert not planned.details


def test_balanced_takes_the_palette_from_two_looks_at_the_whole_picture() -> None:
    planned = passes(1536, 1024, Preset.BALANCED, FIXED)
    assert [(one.shape, one.mirrored) for one in planned.palette] == [((256, 171), False), ((512, 341), True)]
    assert not planned.details


def test_fine_adds_detail_from_the_whole_picture_in_one_piece() -> None:
    planned = passes(1536, 1024, Preset.FINE, FIXED)
    assert planned.palette == passes(1536, 1024, Preset.BALANCED, FIXED).palette
    assert [(one.shape, one.stride) for one in planned.details] == [((1024, 683), None)]


def test_a_generator_that_normalizes_by_instance_looks_closer_in_windows() -> None:
    planned = passes(1536, 1024, Preset.FINE, INSTANCE)
    assert [one.shape for one in planned.palette] == [(256, 171)]
    assert [(one.shape, one.stride) for one in planned.details] == [((512, 341), 128), ((1024, 683), 128)]


def test_native_is_cut_into_windows_where_it_does_not_fit() -> None:
    (small,) = passes(900, 900, Preset.NATIVE, FIXED).details
    (large,) = passes(4096, 2000, Preset.NATIVE, FIXED).details
    assert (small.shape, small.stride) == ((900, 900), None)
    assert (large.shape, large.stride) == ((4096, 2000), 128)


@pytest.mark.parametrize("sizes", [FIXED, INSTANCE])
def test_each_preset_looks_closer_than_the_one_before(sizes: Sizes) -> None:
    counts = [count_windows(3000, 2000, preset, sizes) for preset in Preset]
    assert counts == sorted(set(counts))


def test_a_larger_piece_counts_as_the_windows_that_it_would_fill() -> None:
    assert count_windows(1024, 1024, Preset.BALANCED, FIXED) == 1 + 4
    assert count_windows(1024, 1024, Preset.FINE, FIXED) == 1 + 4 + 16


sides = st.one_of(st.integers(1, 70), st.integers(1, 60_000), st.integers(1, 10_000_000))


def computed(shape: tuple[int, int], multiple: int) -> int:
    """Pixels with padding, by hand."""
    height, width = shape
    return (height + -height % multiple) * (width + -width % multiple)


@given(sides, sides, st.sampled_from(Preset), st.sampled_from([FIXED, INSTANCE]))
@settings(deadline=None)
def test_no_shape_makes_the_network_see_more_than_its_limit(
    height: int, width: int, preset: Preset, sizes: Sizes
) -> None:
    side = min(max(height, width), guide_side(preset, height, width))
    planned = passes(*resample.fit(height, width, side), preset, sizes)
    for one in (*planned.palette, *planned.details):
        if one.stride is None:
            assert all(
                computed(part.shape, sizes.multiple) <= SHOWN for part in pieces(*one.shape, sizes.multiple)
            )
            assert computed(one.shape, sizes.multiple) <= LOOK + sizes.multiple * max(one.shape)
        else:
            assert tiling.count(*one.shape, one.stride) <= 1100
    assert 1 <= cost(planned, sizes) <= 3000


@given(sides, sides, st.sampled_from(Preset))
def test_the_luminance_copy_is_bounded_for_every_shape(height: int, width: int, preset: Preset) -> None:
    side = guide_side(preset, height, width)
    copy = resample.fit(height, width, min(side, max(height, width)))
    assert copy[0] * copy[1] <= (4096 if preset is Preset.NATIVE else 1536) ** 2


@given(st.integers(1, 60_000), st.floats(1, 64), st.booleans(), st.sampled_from(Preset))
def test_what_is_no_extreme_panorama_is_shown_in_one_piece(
    short: int, ratio: float, upright: bool, preset: Preset
) -> None:
    shape = (int(short * ratio), short) if upright else (short, int(short * ratio))
    planned = passes(*shape, preset, FIXED)
    for one in (*planned.palette, *planned.details):
        if one.stride is None:
            assert len(pieces(*one.shape, 32)) == 1
            assert one.height * one.width <= 1.01 * ONE_PIECE + max(one.shape)


@pytest.mark.parametrize("shape", [(1000, 20_000), (20_000, 1000), (40, 800)])
def test_a_panorama_keeps_a_shorter_side_that_shows_something(shape: tuple[int, int]) -> None:
    assert whole_shape(*shape, FIXED) in {(128, 2560), (2560, 128)}
    for preset in Preset:
        assert min(passes(*shape, preset, FIXED).palette[-1].shape) >= 128


def test_the_copy_of_a_panorama_has_as_many_pixels_as_that_of_a_wide_picture() -> None:
    assert guide_side(Preset.FINE, 1000, 1500) == guide_side(Preset.FINE, 1000, 2000) == 1536
    long = guide_side(Preset.FINE, 1000, 20_000)
    assert long * long // 20 == pytest.approx(1536 * 768, rel=0.01)
    assert guide_side(Preset.NATIVE, 900, 1600) > guide_side(Preset.FINE, 900, 1600)


def test_thumbnails_are_enlarged_and_nothing_else_is() -> None:
    assert whole_shape(40, 30, FIXED) == (256, 192)
    assert max(one.shape[0] for one in passes(400, 300, Preset.FINE, FIXED).palette) == 400


@pytest.mark.parametrize(("shape", "count"), [((200, 100), 1), ((512, 512), 4), ((2000, 3000), 8)])
def test_the_windows_that_are_measured_lie_all_over_the_picture(shape: tuple[int, int], count: int) -> None:
    places = sampled(*shape)
    assert len(set(places)) == count
    if count == 8:
        assert max(top for top, _ in places) > shape[0] / 2 > min(top for top, _ in places)
        assert max(left for _, left in places) > shape[1] / 2 > min(left for _, left in places)
