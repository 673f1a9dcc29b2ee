import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restoration import Preset
from restoration.arrays import resample, tiling
from restoration.colorize.input_splitting import MAX_INPUT_PIXELS, MAX_PASS_PIXELS, split_input
from restoration.colorize.plan import (
    MAX_PANORAMA_PIXELS,
    count_windows,
    first_pass_shape,
    guide_side,
    plan_passes,
    statistics_windows,
    window_cost,
)
from restoration.generators.models import InputSpec

FIXED = InputSpec(256, 32)
INSTANCE = InputSpec(256, 256, "instance")


def test_fast_is_two_whole_picture_passes() -> None:
    planned = plan_passes(600, 500, Preset.FAST, FIXED)
    assert [(one.shape, one.mirrored) for one in planned.palette] == [((256, 213), False), ((320, 267), True)]
    assert not planned.details
    assert count_windows(6000, 5000, Preset.FAST, FIXED) == 1 + 2


@pytest.mark.parametrize("preset", Preset)
def test_a_small_picture_is_enlarged_for_its_second_pass(preset: Preset) -> None:
    planned = plan_passes(100, 200, preset, FIXED)
    assert [one.shape for one in planned.palette] == [(128, 256), (160, 320)]
    assert not planned.details


def test_balanced_takes_the_palette_from_two_passes() -> None:
    planned = plan_passes(1536, 1024, Preset.BALANCED, FIXED)
    assert [(one.shape, one.mirrored) for one in planned.palette] == [((256, 171), False), ((512, 341), True)]
    assert not planned.details


def test_fine_adds_detail_from_a_pass_in_one_part() -> None:
    planned = plan_passes(1536, 1024, Preset.FINE, FIXED)
    assert planned.palette == plan_passes(1536, 1024, Preset.BALANCED, FIXED).palette
    assert [(one.shape, one.stride) for one in planned.details] == [((1024, 683), None)]


def test_instance_normalization_gets_detail_from_windows() -> None:
    planned = plan_passes(1536, 1024, Preset.FINE, INSTANCE)
    assert [one.shape for one in planned.palette] == [(256, 171)]
    assert [(one.shape, one.stride) for one in planned.details] == [((512, 341), 128), ((1024, 683), 128)]


def test_native_is_cut_into_windows_where_it_does_not_fit() -> None:
    (small,) = plan_passes(900, 900, Preset.NATIVE, FIXED).details
    (large,) = plan_passes(4096, 2000, Preset.NATIVE, FIXED).details
    assert (small.shape, small.stride) == ((900, 900), None)
    assert (large.shape, large.stride) == ((4096, 2000), 128)


@pytest.mark.parametrize("spec", [FIXED, INSTANCE])
def test_each_preset_costs_more_than_the_one_before(spec: InputSpec) -> None:
    counts = [count_windows(3000, 2000, preset, spec) for preset in Preset]
    assert counts == sorted(set(counts))


def test_a_large_part_counts_as_the_windows_it_would_fill() -> None:
    assert count_windows(1024, 1024, Preset.BALANCED, FIXED) == 1 + 4
    assert count_windows(1024, 1024, Preset.FINE, FIXED) == 1 + 4 + 16


sides = st.one_of(st.integers(1, 70), st.integers(1, 60_000), st.integers(1, 10_000_000))


def computed(shape: tuple[int, int], multiple: int) -> int:
    """Pixels with padding, by hand."""
    height, width = shape
    return (height + -height % multiple) * (width + -width % multiple)


@given(sides, sides, st.sampled_from(Preset), st.sampled_from([FIXED, INSTANCE]))
@settings(deadline=None)
def test_no_shape_exceeds_the_input_limit(height: int, width: int, preset: Preset, spec: InputSpec) -> None:
    side = min(max(height, width), guide_side(preset, height, width))
    planned = plan_passes(*resample.fit(height, width, side), preset, spec)
    for one in (*planned.palette, *planned.details):
        if one.stride is None:
            assert all(
                computed(part.shape, spec.multiple) <= MAX_INPUT_PIXELS
                for part in split_input(*one.shape, spec.multiple)
            )
            assert computed(one.shape, spec.multiple) <= MAX_PANORAMA_PIXELS + spec.multiple * max(one.shape)
        else:
            assert tiling.window_count(*one.shape, one.stride) <= 1100
    assert 1 <= window_cost(planned, spec) <= 3000


@given(sides, sides, st.sampled_from(Preset))
def test_the_luminance_is_bounded_for_every_shape(height: int, width: int, preset: Preset) -> None:
    side = guide_side(preset, height, width)
    copy = resample.fit(height, width, min(side, max(height, width)))
    assert copy[0] * copy[1] <= (4096 if preset is Preset.NATIVE else 1536) ** 2


@given(st.integers(1, 60_000), st.floats(1, 64), st.booleans(), st.sampled_from(Preset))
def test_only_extreme_panoramas_are_split(short: int, ratio: float, upright: bool, preset: Preset) -> None:
    shape = (int(short * ratio), short) if upright else (short, int(short * ratio))
    planned = plan_passes(*shape, preset, FIXED)
    for one in (*planned.palette, *planned.details):
        if one.stride is None:
            assert len(split_input(*one.shape, 32)) == 1
            assert one.height * one.width <= 1.01 * MAX_PASS_PIXELS + max(one.shape)


@pytest.mark.parametrize("shape", [(1000, 20_000), (20_000, 1000), (40, 800)])
def test_a_panorama_keeps_a_useful_shorter_side(shape: tuple[int, int]) -> None:
    assert first_pass_shape(*shape, FIXED) in {(128, 2560), (2560, 128)}
    for preset in Preset:
        assert min(plan_passes(*shape, preset, FIXED).palette[-1].shape) >= 128


def test_a_panorama_gets_the_pixels_of_a_wide_picture() -> None:
    assert guide_side(Preset.FINE, 1000, 1500) == guide_side(Preset.FINE, 1000, 2000) == 1536
    long = guide_side(Preset.FINE, 1000, 20_000)
    assert long * long // 20 == pytest.approx(1536 * 768, rel=0.01)
    assert guide_side(Preset.NATIVE, 900, 1600) > guide_side(Preset.FINE, 900, 1600)


def test_thumbnails_are_enlarged_and_nothing_else_is() -> None:
    assert first_pass_shape(40, 30, FIXED) == (256, 192)
    assert max(one.shape[0] for one in plan_passes(400, 300, Preset.FINE, FIXED).palette) == 400


@pytest.mark.parametrize(("shape", "count"), [((200, 100), 1), ((512, 512), 4), ((2000, 3000), 8)])
def test_measured_windows_are_spread_over_the_picture(shape: tuple[int, int], count: int) -> None:
    places = statistics_windows(*shape)
    assert len(set(places)) == count
    if count == 8:
        assert max(top for top, _ in places) > shape[0] / 2 > min(top for top, _ in places)
        assert max(left for _, left in places) > shape[1] / 2 > min(left for _, left in places)
