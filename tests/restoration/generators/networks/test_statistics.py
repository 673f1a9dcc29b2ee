"""Instance statistics: pooled like one picture, frozen as constants, never left in the network."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from restoration.generators.networks.architectures import SeedChroma
from restoration.generators.networks.statistics import (
    Normalize,
    Statistics,
    by_instance,
    freeze_statistics,
    measure_each,
    measure_pooled,
    through,
)


class Pointwise(nn.Module):
    """Three pointwise convolutions, each normalized."""

    def __init__(self) -> None:
        super().__init__()
        widths = (1, 6, 5, 2)
        self.layers = nn.Sequential()
        for first, second in itertools.pairwise(widths):
            self.layers += nn.Sequential(
                nn.Conv2d(first, second, 1), nn.InstanceNorm2d(second), nn.LeakyReLU(0.2)
            )

    def forward(self, x: Tensor, normalize: Normalize = by_instance) -> Tensor:
        return through(self.layers, x, normalize)


@pytest.fixture(scope="module")
def pointwise() -> Pointwise:
    torch.manual_seed(4)
    return Pointwise()


@pytest.fixture(scope="module")
def seed() -> SeedChroma:
    torch.manual_seed(5)
    return SeedChroma(base=4).eval()


def noise(count: int, side: int = 16, number: int = 1) -> Tensor:
    return torch.rand(count, 1, side, side, generator=torch.Generator().manual_seed(number))


def test_the_pooled_statistics_are_those_of_the_pictures_joined(pointwise: Pointwise) -> None:
    pictures = noise(3) * torch.tensor([1.0, 0.3, 2.0])[:, None, None, None]
    joined = torch.cat(list(pictures), dim=1)[None]

    pooled, one = measure_pooled(pointwise, pictures), measure_pooled(pointwise, joined)

    for ours, theirs in zip((*pooled.means, *pooled.variances), (*one.means, *one.variances), strict=True):
        assert ours.shape == (1, theirs.shape[1])
        assert torch.allclose(ours, theirs, atol=1e-5)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(1, 4), min_size=2, max_size=4))
def test_a_weight_counts_like_as_many_copies(weights: list[int]) -> None:
    torch.manual_seed(4)
    network = Pointwise()
    pictures = noise(len(weights), 8)
    copies = torch.repeat_interleave(pictures, torch.tensor(weights), dim=0)

    weighed, copied = (
        measure_pooled(network, pictures, torch.tensor(weights)),
        measure_pooled(network, copies),
    )

    for ours, theirs in zip(
        (*weighed.means, *weighed.variances), (*copied.means, *copied.variances), strict=True
    ):
        assert torch.allclose(ours, theirs, atol=1e-5)


def test_the_seed_has_thirteen_layers(seed: SeedChroma) -> None:
    statistics = measure_pooled(seed, noise(1, 256))

    assert len(statistics.means) == 13
    assert sum(mean.shape[1] for mean in statistics.means) * 16 == 4928


def test_frozen_statistics_of_the_own_picture_change_nothing(seed: SeedChroma) -> None:
    pictures = noise(2, 256)
    with torch.no_grad():
        assert torch.allclose(
            freeze_statistics(seed, measure_each(seed, pictures, floor=0.0))(pictures),
            seed(pictures),
            atol=1e-6,
        )


def test_a_crop_with_statistics_of_the_whole_matches_the_whole(pointwise: Pointwise) -> None:
    whole = noise(1, 32)
    run = freeze_statistics(pointwise, measure_pooled(pointwise, whole))

    with torch.no_grad():
        assert torch.equal(run(whole[..., 5:21, 8:24]), run(whole)[..., 5:21, 8:24])
        assert not torch.allclose(pointwise(whole[..., 5:21, 8:24]), run(whole)[..., 5:21, 8:24], atol=1e-3)


def test_a_window_does_not_depend_on_the_windows_beside_it(seed: SeedChroma) -> None:
    run = freeze_statistics(seed, measure_pooled(seed, noise(1, 256, 7)))
    windows = noise(3, 256)

    with torch.no_grad():
        assert torch.allclose(run(windows)[1], run(windows[1:2])[0], atol=1e-6)


def test_each_row_belongs_to_its_picture(seed: SeedChroma) -> None:
    wholes, crops = noise(2, 256, 8), noise(2, 256, 9)

    with torch.no_grad():
        together = freeze_statistics(seed, measure_each(seed, wholes))(crops)
        for number in range(2):
            alone = freeze_statistics(seed, measure_pooled(seed, wholes[number : number + 1]))(
                crops[number : number + 1]
            )
            assert torch.allclose(together[number], alone[0], atol=1e-5)


def test_blank_paper_is_not_amplified(pointwise: Pointwise) -> None:
    blank = torch.full((1, 1, 16, 16), 0.5) + 1e-4 * noise(1)

    raised = measure_pooled(pointwise, blank, floor=0.01)
    assert all(bool((variance >= 0.01 - 1e-9).all()) for variance in raised.variances)
    with torch.no_grad():
        assert freeze_statistics(pointwise, raised)(blank).std() < 0.01 * pointwise(blank).std()


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_no_gradient_flows_through_frozen_statistics(seed: SeedChroma, precision: torch.dtype) -> None:
    whole, crop = noise(1, 256).requires_grad_(), noise(1, 256, 2).requires_grad_()
    with torch.autocast("cpu", precision, enabled=precision is torch.bfloat16):
        statistics = measure_each(seed, whole)
    assert not any(mean.requires_grad for mean in (*statistics.means, *statistics.variances))

    with torch.autocast("cpu", precision, enabled=precision is torch.bfloat16):
        made = freeze_statistics(seed, statistics)(crop)
    made.float().square().mean().backward()

    assert whole.grad is None
    assert crop.grad is not None
    assert bool(crop.grad.any())
    assert all(bool(parameter.grad.any()) for parameter in seed.parameters())
    seed.zero_grad(set_to_none=True)


def test_threads_run_one_network_with_different_statistics(seed: SeedChroma) -> None:
    wholes = [noise(1, 256, number) * 0.1 * number for number in range(1, 7)]
    crop = noise(1, 256, 20)

    def colored(whole: Tensor) -> Tensor:
        with torch.no_grad():
            return freeze_statistics(seed, measure_pooled(seed, whole))(crop)

    one_by_one = [colored(whole) for whole in wholes]
    with ThreadPoolExecutor(3) as pool:
        at_once = list(pool.map(colored, wholes))

    assert all(torch.equal(*pair) for pair in zip(one_by_one, at_once, strict=True))
    assert not torch.equal(one_by_one[0], one_by_one[-1])


@pytest.mark.parametrize("layers", [[0, 1], [0, 1, 2, 2], [1, 0, 2]])
def test_statistics_of_another_network_are_refused(pointwise: Pointwise, layers: list[int]) -> None:
    own = measure_pooled(pointwise, noise(1))
    other = Statistics(tuple(own.means[n] for n in layers), tuple(own.variances[n] for n in layers))

    with pytest.raises(ValueError, match="those of another network"):
        freeze_statistics(pointwise, other)(noise(1))


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [0.0, 0.0]])
def test_weights_that_do_not_fit_are_refused(pointwise: Pointwise, weights: list[float]) -> None:
    with pytest.raises(ValueError, match="2 pictures need as many weights"):
        measure_pooled(pointwise, noise(2), torch.tensor(weights))
