"""Errors that end the decoding of pixels; callers translate them for the user."""


class NoSecondDecoder(Exception):
    """No second decoder reads this picture: its kind or its size is not supported."""


class DamagedPixels(Exception):
    """Pixels are missing or cannot be decoded."""
