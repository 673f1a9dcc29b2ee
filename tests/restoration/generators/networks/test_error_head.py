"""The error head leaves the colors unchanged and learns where they are wrong."""

import numpy as np
import torch

from restoration.arrays.luma import rgb_with_luma
from restoration.generators.networks.error_head import error_loss, within_gamut
from restoration.generators.networks.lite0_layout import MIN_ERROR
from restoration.generators.networks.lite0_unet import Lite0Unet
from restoration.training.dataset import chroma_of


def _pair() -> tuple[Lite0Unet, Lite0Unet]:
    plain, with_head = Lite0Unet().eval(), Lite0Unet(with_error_head=True).eval()
    with_head.load_state_dict({**with_head.state_dict(), **plain.state_dict()})
    return plain, with_head


def test_the_colors_are_the_same_with_and_without_error_head() -> None:
    plain, with_head = _pair()
    gray = torch.rand(2, 1, 64, 96)
    with torch.inference_mode():
        colors, planes = plain(gray), with_head(gray)
    assert planes.shape == (2, 3, 64, 96)
    assert torch.allclose(planes[:, :2], colors, atol=1e-6)
    assert float(planes[:, 2].min()) >= MIN_ERROR


def test_no_gradient_flows_from_the_error_head_to_the_colors() -> None:
    _, with_head = _pair()
    with_head(torch.rand(1, 1, 32, 32))[:, 2].sum().backward()
    learning = {name for name, one in with_head.named_parameters() if one.grad is not None and one.grad.any()}
    assert learning
    assert all(name.startswith("doubt.") for name in learning)


def test_the_error_loss_is_least_at_the_mean_distance() -> None:
    distance = torch.tensor([0.01, 0.02, 0.06])
    losses = {told: float(error_loss(torch.full((3,), told), distance)) for told in (0.01, 0.02, 0.03, 0.05)}
    assert min(losses, key=losses.__getitem__) == 0.03


def test_colors_are_brought_into_the_gamut_as_in_a_derivative() -> None:
    rng = np.random.default_rng(7)
    gray = rng.integers(0, 256, (24, 24), dtype=np.uint8)
    chroma = rng.uniform(-0.4, 0.4, (2, 24, 24)).astype(np.float32)
    shown = chroma_of(rgb_with_luma(gray, *chroma))
    made = within_gamut(torch.from_numpy(gray / np.float32(255))[None, None], torch.from_numpy(chroma)[None])
    # Bytes are whole numbers, and one or two steps are nudged for the luma's sake.
    assert np.abs(made[0].numpy() - shown).max() < 3 / 255


def test_a_head_learns_which_half_of_a_picture_is_wrong() -> None:
    torch.manual_seed(1)
    network = Lite0Unet(with_error_head=True).eval()
    gray = torch.full((1, 1, 64, 64), 0.3)
    gray[..., 32:] = 0.7
    distance = torch.where(gray > 0.5, 0.2, 0.01)
    assert network.doubt is not None
    optimizer = torch.optim.Adam(network.doubt.parameters(), 5e-3)
    for _ in range(60):
        optimizer.zero_grad()
        error_loss(network(gray)[:, 2:], distance).backward()
        optimizer.step()
    with torch.inference_mode():
        told = network(gray)[0, 2]
    assert float(told[:, 40:].mean()) > 4 * float(told[:, :24].mean())
