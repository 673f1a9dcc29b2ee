"""The networks that predict color: their architectures, model files and engines."""
