"""The `saek` command line."""

from worker.cli.entry import main

__all__ = ["main"]
