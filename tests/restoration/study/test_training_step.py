"""Losses and updates of the study's networks on known tensors."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from restoration.generators.networks.pix2pix_losses import generator_loss
from restoration.study.networks import SeedState, new_seed_state
from restoration.study.recipe import SeedRecipe
from restoration.study.training_step import train_networks_on_batch

Recipe = Callable[..., SeedRecipe]
CPU = torch.device("cpu")


class Shift(nn.Module):
    """A generator with one weight, that it adds to what it sees."""

    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = nn.Parameter(torch.tensor(by))

    def forward(self, gray: Tensor) -> Tensor:
        return gray + self.by


class Patches(nn.Module):
    """A discriminator that tells the mean of the picture on a map of 16 x 16, and notes what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(1.0))
        self.seen: list[tuple[int, ...]] = []

    def forward(self, condition: Tensor, picture: Tensor) -> Tensor:
        self.seen.append(tuple(condition.shape))
        return self.gain * picture.mean().expand(len(picture), 1, 16, 16)


def _known(recipe: SeedRecipe, by: float = 0.25) -> SeedState:
    """A state whose networks can be reckoned by hand."""
    state = new_seed_state(recipe, CPU)
    state.generator, state.critic = Shift(by), Patches()  # type: ignore[assignment]
    state.optimizer = torch.optim.Adam(state.generator.parameters(), lr=recipe.rate, betas=(0.5, 0.999))
    state.critic_optimizer = torch.optim.Adam(state.critic.parameters(), lr=recipe.rate, betas=(0.5, 0.999))
    return state


def test_least_squares_with_real_1_and_made_0_halved_and_l1(recipe: Recipe) -> None:
    gray, true = torch.zeros(2, 3, 16, 16), torch.full((2, 3, 16, 16), 0.75)

    adversarial, l1, discriminator = train_networks_on_batch(_known(recipe()), recipe(), gray, true).tolist()

    assert adversarial == pytest.approx((0.25 - 1) ** 2)
    assert l1 == pytest.approx(0.5)
    assert discriminator == pytest.approx(0.5 * ((0.75 - 1) ** 2 + 0.25**2))


def test_the_generator_loss_is_adversarial_plus_100_l1(recipe: Recipe) -> None:
    gray, true = torch.zeros(1, 3, 16, 16), torch.full((1, 3, 16, 16), 0.75)
    state = _known(recipe())

    train_networks_on_batch(state, recipe(), gray, true)

    expected = Shift(0.25)
    made = expected(gray)
    generator_loss(Patches()(gray, made), made, true).backward()
    assert state.generator.by.grad.item() == pytest.approx(expected.by.grad.item())
    assert state.generator.by.grad.item() == pytest.approx(2 * (0.25 - 1) - 100)


def test_one_step_of_adam_is_one_learning_rate(recipe: Recipe) -> None:
    state = _known(recipe())

    train_networks_on_batch(state, recipe(), torch.zeros(1, 3, 16, 16), torch.full((1, 3, 16, 16), 0.75))

    assert state.generator.by.item() == pytest.approx(0.25 + 2e-4, abs=1e-8)
    # The discriminator lies too low on the true picture: 2 * .5 * ((.75 - 1) * .75 + .25 * .25) < 0.
    assert state.critic.gain.item() == pytest.approx(1.0 + 2e-4, abs=1e-6)


@pytest.mark.parametrize(("critic", "channels"), [("conditional", 3), ("unconditional", 0)])
def test_only_a_conditional_discriminator_sees_the_gray_picture(
    recipe: Recipe, critic: str, channels: int
) -> None:
    plan = recipe(critic=critic)
    state = _known(plan)

    train_networks_on_batch(state, plan, torch.zeros(1, 3, 16, 16), torch.ones(1, 3, 16, 16))

    assert {shape[1] for shape in state.critic.seen} == {channels}


def test_without_a_discriminator_there_is_l1_alone(recipe: Recipe) -> None:
    plan = recipe(critic="none")
    state = new_seed_state(plan, CPU)
    gray = torch.randn(1, 3, 256, 256, generator=torch.Generator().manual_seed(2))

    adversarial, l1, discriminator = train_networks_on_batch(
        state, plan, gray, torch.ones_like(gray)
    ).tolist()

    assert state.critic is None
    assert (adversarial, discriminator) == (0, 0)
    assert l1 > 0


def test_a_plain_gan_does_not_look_at_the_distance(recipe: Recipe) -> None:
    plan = recipe(critic="unconditional", l1_weight=0.0)
    gray = torch.zeros(1, 3, 16, 16)
    gradients = []
    for true in (0.75, -0.75):
        state = _known(plan)
        train_networks_on_batch(state, plan, gray, torch.full_like(gray, true))
        gradients.append(state.generator.by.grad.item())

    assert gradients == pytest.approx([2 * (0.25 - 1)] * 2)


@pytest.mark.parametrize(
    "entries", [{}, {"patch_map": 8}, {"kernel": 3}, {"kernel": 5}, {"critic": "unconditional"}]
)
def test_every_variant_changes_both_networks(recipe: Recipe, entries: dict[str, object]) -> None:
    plan = recipe(**entries)
    state = new_seed_state(plan, CPU)
    before = copy.deepcopy((state.generator.state_dict(), state.critic.state_dict()))
    gray = torch.randn(1, 3, 256, 256, generator=torch.Generator().manual_seed(3))

    train_networks_on_batch(state, plan, gray, -gray)

    for old, network in zip(before, (state.generator, state.critic), strict=True):
        assert any(not torch.equal(old[name], now) for name, now in network.state_dict().items())


def test_bfloat16_has_the_same_loss_and_float32_weights(recipe: Recipe) -> None:
    gray = torch.randn(1, 3, 256, 256, generator=torch.Generator().manual_seed(4))
    told, gradients = [], []
    for precision in ("float32", "bfloat16"):
        plan = recipe(precision=precision, base=8)
        state = new_seed_state(plan, CPU)
        told.append(train_networks_on_batch(state, plan, gray, -gray))
        gradients.append(torch.cat([one.grad.flatten() for one in state.critic.parameters()]))
        assert {one.dtype for one in state.generator.parameters()} == {torch.float32}

    assert told[1].dtype == torch.float32
    assert not torch.equal(told[0], told[1])
    assert torch.allclose(told[0], told[1], rtol=0.02)
    assert functional.cosine_similarity(*gradients, dim=0) > 0.99
