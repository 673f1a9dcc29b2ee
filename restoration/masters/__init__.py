"""A master file: opened safely, identified, read strip by strip, checked by a second decoder."""
