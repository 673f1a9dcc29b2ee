"""Shared code of the long-running parts of a station: startup, periodic tasks, waits, exits."""
