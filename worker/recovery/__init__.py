"""Recovery: a lost record from sidecars, and lost sidecars from the record."""
