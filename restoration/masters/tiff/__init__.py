"""TIFF files, as bytes: directories, the layout of the samples, and both ways to read them."""
