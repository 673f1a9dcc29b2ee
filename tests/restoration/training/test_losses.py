"""Losses of constructed chroma."""

import pytest
import torch

from restoration.training.losses import chroma_loss, gradient_loss
from restoration.training.recipe import Objective

PLAIN = Objective(huber=0.0, gradient=0.0, vividness=0.0)


def flat(value: float) -> torch.Tensor:
    return torch.full((1, 2, 4, 4), value)


def test_the_truth_costs_nothing() -> None:
    true = torch.rand(2, 2, 8, 8) - 0.5

    assert chroma_loss(true, true, Objective()).item() == 0.0


def test_plain_it_is_the_mean_absolute_error() -> None:
    assert chroma_loss(flat(0.1), flat(0.3), PLAIN).item() == pytest.approx(0.2)


def test_huber_is_squared_near_the_truth_and_linear_far_away() -> None:
    with_huber = Objective(huber=1.0, huber_delta=0.1, gradient=0.0, vividness=0.0)

    assert chroma_loss(flat(0.05), flat(0.0), with_huber).item() == pytest.approx(0.05 + 0.0125)
    assert chroma_loss(flat(0.3), flat(0.0), with_huber).item() == pytest.approx(0.3 + 0.25)


def test_an_error_on_color_weighs_more_than_one_on_gray() -> None:
    true = torch.zeros(1, 2, 4, 4)
    true[..., :2, :] = 0.3
    wrong_on_color, wrong_on_gray = true.clone(), true.clone()
    wrong_on_color[..., :2, :] -= 0.1
    wrong_on_gray[..., 2:, :] -= 0.1

    lively = Objective(huber=0.0, gradient=0.0, vividness=5.0)

    assert chroma_loss(wrong_on_color, true, lively) > 2 * chroma_loss(wrong_on_gray, true, lively)


def test_weights_keep_the_scale_of_the_loss() -> None:
    lively = Objective(huber=0.0, gradient=0.0, vividness=5.0)

    assert chroma_loss(flat(0.1), flat(0.3), lively).item() == pytest.approx(0.2)


def test_gradient_loss_penalizes_bleeding_but_no_uniform_shift() -> None:
    edge = torch.zeros(1, 2, 4, 4)
    edge[..., 2:] = 0.2

    assert gradient_loss(edge + 0.1, edge).item() == pytest.approx(0.0, abs=1e-7)
    assert gradient_loss(torch.full_like(edge, 0.1), edge).item() == pytest.approx(0.2 / 3)


def test_the_contrast_term_ignores_a_uniform_cast() -> None:
    relative = Objective(huber=0.0, gradient=0.0, vividness=0.0, contrast=2.0)
    true = torch.rand(2, 2, 8, 8) - 0.5

    assert chroma_loss(true + 0.1, true, relative).item() == pytest.approx(0.1, rel=1e-4)
    assert chroma_loss(flat(0.1), flat(0.3), relative).item() == pytest.approx(0.2)
    shuffled = true.flip(-1)
    plain = chroma_loss(shuffled, true, PLAIN).item()
    assert chroma_loss(shuffled, true, relative).item() == pytest.approx(3.0 * plain, rel=1e-4)
