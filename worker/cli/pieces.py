"""Which file each scan of `saek restore` becomes, and which names are refused."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import typer

from worker.inbox.walk import walk

_CONFIDENCE = ".confidence.png"
_FORMATS = {".tif": "tiff", ".tiff": "tiff", ".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"}


@dataclass(frozen=True, slots=True)
class Piece:
    """One master and the name that its derivative gets."""

    master: Path
    output: Path
    confidence: Path | None = None
    """Where the map of confidence goes, None if nobody asked for it."""

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that are written for this master."""
        return (self.output,) if self.confidence is None else (self.output, self.confidence)


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


def pieces_of(
    masters: Sequence[Path], output: Path, suffix: str, *, with_confidence: bool = False
) -> list[Piece]:
    """Return the masters with their outputs; folders are taken with all below them and keep their shape.

    Two masters of one name but different endings both keep their ending in the new name. The map of
    confidence of `a.tif` is `a.confidence.png`, beside it.

    Raises:
        typer.BadParameter: the output is a file where a folder is needed, or two files get one name.
    """
    pieces = _pieces(masters, output, suffix)
    if with_confidence:
        pieces = [replace(piece, confidence=piece.output.with_suffix(_CONFIDENCE)) for piece in pieces]
    names = Counter(_key(path) for piece in pieces for path in piece.files)
    twins = [name for name, times in names.items() if times > 1]
    if twins:
        raise typer.BadParameter(
            f"several files would become {twins[0]}; restore the scans into folders of their own"
        )
    return pieces


def _pieces(masters: Sequence[Path], output: Path, suffix: str) -> list[Piece]:
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
    return [
        Piece(master, output / _renamed(relative, suffix, whole=stems[_key(relative.with_suffix(""))] > 1))
        for master, relative in found
    ]


def refuse_overwriting(pieces: Sequence[Piece], *, force: bool) -> None:
    """Raise typer.BadParameter if an output is a master, or exists and `force` was not said."""
    masters = {piece.master.resolve() for piece in pieces}
    for master, path in ((piece.master, path) for piece in pieces for path in piece.files):
        if path.resolve() in masters or (path.exists() and path.samefile(master)):
            raise typer.BadParameter(
                f"{path} is a master: masters are never written to; choose another output"
            )
        if path.exists() and not force:
            raise typer.BadParameter(f"{path} exists; --force replaces derivatives")


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
