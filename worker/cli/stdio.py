"""Pictures on standard input and output."""

import shutil
import sys
from pathlib import Path

import typer


def spool_stdin(folder: Path) -> Path:
    """Copy standard input into a file in `folder`; return the file.

    Raises:
        typer.BadParameter: standard input is a terminal, or closed.
    """
    if sys.stdin is None or sys.stdin.isatty():
        raise typer.BadParameter("standard input is a terminal; redirect a picture to it, as in `< a.tif`")
    path = folder / "stdin"
    with path.open("xb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    return path


def refuse_terminal() -> None:
    """Raise typer.BadParameter if standard output is a terminal, which cannot show a picture."""
    if sys.stdout.isatty():
        raise typer.BadParameter("standard output is a terminal; redirect it, as in `> colored.tif`")


def write_to_stdout(path: Path) -> None:
    """Write a file to standard output."""
    with path.open("rb") as file:
        shutil.copyfileobj(file, sys.stdout.buffer)
    sys.stdout.buffer.flush()
