"""Rank correlation as in SciPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from restoration.training.rank_correlation import spearman


@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=2, max_size=40))
def test_it_agrees_with_scipy_ties_and_all(pairs: list[tuple[int, int]]) -> None:
    first, second = np.array(pairs, dtype=float).T
    if len(set(first)) == 1 or len(set(second)) == 1:
        assert spearman(first, second) is None
    else:
        assert spearman(first, second) == pytest.approx(spearmanr(first, second).statistic, abs=1e-12)


def test_only_the_order_counts() -> None:
    x = np.array([0.1, 5.0, 0.2, 3.0])

    assert spearman(x, np.exp(x)) == pytest.approx(1.0)
    assert spearman(x, -(x**3)) == pytest.approx(-1.0)


def test_a_single_value_correlates_with_nothing() -> None:
    assert spearman(np.array([1.0]), np.array([2.0])) is None


def test_samples_must_be_equally_long() -> None:
    with pytest.raises(ValueError, match="equal length"):
        spearman(np.zeros(3), np.zeros(4))
