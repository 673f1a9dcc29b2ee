"""The station: all parts of one machine, run together."""
