"""TIFF files: directories, the layout of the picture, and its samples for both decoders."""
