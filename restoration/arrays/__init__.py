"""Array functions: resampling, tiling, luma, CIE Lab, tone curves, and memory for strips."""
