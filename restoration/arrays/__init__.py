"""Planes of numbers: resampling, tiling, luma, CIE Lab, and the memory they are computed in."""
