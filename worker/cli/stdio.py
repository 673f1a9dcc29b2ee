"""How a picture comes in by standard input and goes out by standard output."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

_NAME = "stdin"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield a folder of this command's own, which goes with what it holds."""
    with tempfile.TemporaryDirectory(prefix="saek-") as name:
        yield Path(name)


def spooled(folder: Path) -> Path:
    """Write standard input to its end into a file in `folder`; return the file.

    Raises:
        typer.BadParameter: standard input is a terminal, or closed.
    """
    if sys.stdin is None or sys.stdin.isatty():
        raise typer.BadParameter("standard input is a terminal: send a picture to it, as in `< a.tif`")
    path = folder / _NAME
    with path.open("xb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    return path


def require_redirected() -> None:
    """Raise typer.BadParameter if standard output is a terminal: a picture would garble it."""
    if sys.stdout.isatty():
        raise typer.BadParameter("standard output is a terminal: send it on, as in `> colored.tif`")


def sent(path: Path) -> None:
    """Write a file to standard output."""
    with path.open("rb") as file:
        shutil.copyfileobj(file, sys.stdout.buffer)
    sys.stdout.buffer.flush()
