"""Which file each scan of `saek restore` becomes, and which names are refused."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from worker.inbox.walk import walk

_FORMATS = {".tif": "tiff", ".tiff": "tiff", ".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"}


@dataclass(frozen=True, slots=True)
class Piece:
    """One master and the name that its derivative gets."""

    master: Path
    output: Path


def one_file(masters: Sequence[Path], output: Path) -> bool:
    """Whether `output` is meant as the name of a file: one scan, and no folder there or in the wording."""
    return (
        len(masters) == 1
        and not masters[0].is_dir()
        and not output.is_dir()
        and output.suffix.lower() in _FORMATS
    )


def format_of(output: Path) -> str:
    """Return the format that a name with a known ending asks for."""
    return _FORMATS[output.suffix.lower()]


def pieces_of(masters: Sequence[Path], output: Path, suffix: str) -> list[Piece]:
    """Return the masters with their outputs; folders are taken with all below them and keep their shape.

    Two masters of one name but different endings both keep their ending in the new name.

    Raises:
        typer.BadParameter: the output is a file where a folder is needed, or two masters get one name.
    """
    if one_file(masters, output):
        if output.suffix.lower() not in {
            ending for ending in _FORMATS if _FORMATS[ending] == _FORMATS[suffix]
        }:
            raise typer.BadParameter(f"{output.name} does not end as --format says ({suffix})")
        return [Piece(masters[0], output)]
    if output.exists() and not output.is_dir():
        raise typer.BadParameter(f"{output} is a file; several scans, or a folder of scans, need a folder")
    found = list(_found(masters, output))
    stems = Counter(_key(relative.with_suffix("")) for _, relative in found)
    pieces = [
        Piece(master, output / _renamed(relative, suffix, whole=stems[_key(relative.with_suffix(""))] > 1))
        for master, relative in found
    ]
    twins = [name for name, times in Counter(_key(piece.output) for piece in pieces).items() if times > 1]
    if twins:
        raise typer.BadParameter(
            f"several scans would become {twins[0]}; restore them into folders of their own"
        )
    return pieces


def refuse_overwriting(pieces: Sequence[Piece], *, force: bool) -> None:
    """Raise typer.BadParameter if an output is a master, or exists and `force` was not said."""
    masters = {piece.master.resolve() for piece in pieces}
    for piece in pieces:
        if piece.output.resolve() in masters or (
            piece.output.exists() and piece.output.samefile(piece.master)
        ):
            raise typer.BadParameter(
                f"{piece.output} is a master: masters are never written to; choose another output"
            )
        if piece.output.exists() and not force:
            raise typer.BadParameter(f"{piece.output} exists; --force replaces derivatives")


def _found(masters: Sequence[Path], output: Path) -> Iterator[tuple[Path, Path]]:
    """Yield each master with its path below what was named, in order; earlier outputs are not masters."""
    for named in masters:
        if not named.is_dir():
            yield named, Path(named.name)
            continue
        for path in sorted(entry.path for entry in walk(os.fsencode(named))):
            relative = Path(os.fsdecode(path))
            if not (named / relative).absolute().is_relative_to(output.absolute()):
                yield named / relative, relative


def _renamed(relative: Path, suffix: str, *, whole: bool) -> Path:
    return relative.with_name(f"{relative.name if whole else relative.stem}{suffix}")


def _key(path: Path) -> str:
    return str(path).casefold()
