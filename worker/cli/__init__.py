"""What a person types: the `saek` command."""

from worker.cli.entry import main

__all__ = ["main"]
