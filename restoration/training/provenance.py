"""The commit of the code that runs."""

from __future__ import annotations

import subprocess
from pathlib import Path


def commit() -> str | None:
    """Return the hash of the checkout's commit, with "+" if files differ; None if Saek is installed."""
    package = Path(__file__).parents[1]
    try:
        if Path(_git(package, "rev-parse", "--show-toplevel")) != package.parent:
            return None  # installed into an environment inside another checkout
        return _git(package, "rev-parse", "HEAD") + ("+" if _git(package, "status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(folder: Path, *words: str) -> str:
    command = ["git", *words]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()
