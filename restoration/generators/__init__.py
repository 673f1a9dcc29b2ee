"""Generators: the networks that predict chroma, their model files and the engines that run them."""
