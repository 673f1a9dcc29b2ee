"""Constants of instance normalization (Ulyanov et al. 2016), for torch and OpenVINO."""

from __future__ import annotations

from typing import Final

EPSILON: Final = 1e-5
"""Added to every variance, as torch's instance normalization does."""

FLOOR: Final = 1e-4
"""Minimum measured variance: the grain of blank paper must not be amplified a hundred times."""
