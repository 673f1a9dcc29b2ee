"""Colorization: from the luminance of a scan to its chroma.

The steps in their order: `plan` decides which inference passes a preset makes; `inference` runs them, with
`shared_statistics` for generators that normalize by instance; `guided_filter` enlarges the chroma to the
size of the scan; `predicted_error` estimates how far off it may be; `seam_metrics` measures the result.
`predicted_colors` runs them all for one master.

The same word means the same array everywhere in this package:

luminance
    (H, W) float32 in [0, 1]: the scan as sRGB shows it, reduced to at most `guide_side`. Every step sees it.
stretched
    (H, W) float32 in [0, 1]: the luminance with its contrast stretched for the generator.
network input
    (h, w) float32 in [0, 1]: `stretched` resampled to the size of one pass, or a window of it.
chroma
    (2, h, w) float32 in [-0.5, 0.5]: BT.601 Cb and Cr.
palette
    The chroma of the whole-picture passes, which decide which color a thing has.
gray
    (h, W) uint8 or uint16: rows of the integers of the master, which the luma of the derivative equals.
luma
    uint8 or uint16: .299 R + .587 G + .114 B of an RGB picture, rounded.
"""
