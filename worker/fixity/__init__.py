"""Fixity: whether the files on record still hold the recorded bytes."""
