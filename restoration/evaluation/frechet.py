"""How far two clouds of features lie apart when each is taken for a Gaussian: the Fréchet distance."""

import numpy as np
from numpy.typing import NDArray

LEAST_PICTURES = 30
"""With fewer pictures than this the distance says more about the sample than about the pictures."""


def frechet_distance(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Fréchet distance of two samples (N, D) and (M, D), N and M at least 2; 0 for equal samples.

    |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)), after Dowson & Landau 1982, with the samples' covariances
    (divided by N - 1). If S1 = A'A and S2 = B'B, the trace of the root is the sum of the singular values of
    AB': no root of a singular D x D matrix is taken, so its diagonal needs no help. Samples smaller
    than D give too large a distance: compare distances only at equal N. Raises ValueError.
    """
    if min(len(first), len(second)) < 2 or first.shape[1] != second.shape[1]:
        raise ValueError(f"two samples of at least 2 equal features, not {first.shape} and {second.shape}")
    a, mean_a = _root(first)
    b, mean_b = _root(second)
    cross = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    apart = float(np.sum((mean_a - mean_b) ** 2) + np.sum(a * a) + np.sum(b * b) - 2.0 * cross)
    return max(0.0, apart)


def _root(sample: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return A with A'A the covariance, of at most D rows, and the mean."""
    values = np.asarray(sample, dtype=np.float64)
    mean = values.mean(axis=0)
    centered = (values - mean) / np.sqrt(len(values) - 1)
    if len(centered) > centered.shape[1]:
        centered = np.linalg.qr(centered, mode="r")
    return centered, mean
