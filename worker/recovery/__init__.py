"""A lost record rebuilt from sidecars, and lost sidecars from the record."""
