"""Two numbers of instance normalization, whoever computes it."""

from __future__ import annotations

from typing import Final

EPSILON: Final = 1e-5
"""Added to every variance, as torch's instance normalization does."""

FLOOR: Final = 1e-4
"""Least variance that is written down: blank paper must not make its grain a hundred times stronger."""
