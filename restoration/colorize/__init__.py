"""From a luminance to a chroma field: whole-picture pass, windows, guided filter, predicted error."""
