"""Which file each scan of `saek restore` becomes, and which names are refused."""

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import typer

from worker.inbox.walk import Entry, WalkSummary, walk
from worker.printable import printable

_STANDARD = Path("-")
_ENDING = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,4}")
"""What makes a name look like that of a file."""
_CONFIDENCE = ".confidence.png"
_FORMATS = {".tif": "tiff", ".tiff": "tiff", ".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"}


@dataclass(frozen=True, slots=True)
class PlannedOutput:
    """One master and the name that its derivative gets."""

    master: Path
    output: Path
    confidence: Path | None = None
    """Where the map of confidence goes, None if nobody asked for it."""
    piped: bool = False
    """Whether the master came by standard input."""

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that are written for this master."""
        return (self.output,) if self.confidence is None else (self.output, self.confidence)


@dataclass(frozen=True, slots=True)
class FoundScans:
    """The scans that the command line names, and what lies among them without being one."""

    masters: tuple[tuple[Path, Path], ...]
    """Each with its path below the folder that was named; of a single file, its name."""
    sidecars: int = 0
    """Files in the folders that are known to be no pictures."""
    unread: tuple[tuple[Path, str], ...] = ()
    """Folders that could not be read to their end, with the reason."""


@dataclass(slots=True, kw_only=True)
class _Besides(WalkSummary):
    """A survey of a folder without the outputs, which may lie in it."""

    folder: Path
    output: Path

    def counts_as_scan(self, entry: Entry) -> bool:
        path = self.folder / os.fsdecode(entry.path)
        if path.absolute().is_relative_to(self.output.absolute()):
            return False
        return WalkSummary.counts_as_scan(
            self, entry
        )  # the class with slots is another one than super() knows


def find_scans(masters: Sequence[Path], output: Path) -> FoundScans:
    """Look for scans; folders are looked through with all below them, and earlier outputs are not masters.

    Raises:
        typer.BadParameter: a folder that was named holds nothing that could be a scan.
    """
    found: list[tuple[Path, Path]] = []
    unread: list[tuple[Path, str]] = []
    sidecars = 0
    for named in masters:
        if not named.is_dir():
            found.append((named, Path(named.name)))
            continue
        before = len(found)
        if named.absolute().is_relative_to(output.absolute()):
            raise typer.BadParameter(
                f"{printable(named)} lies in the output {printable(output)}; choose another folder for it"
            )
        survey = _Besides(folder=named, output=output)
        found.extend((named / relative, relative) for relative in _scans_in(named, survey))
        sidecars += survey.sidecars
        if survey.refused:
            first = next(iter(survey.refused.values()))
            unread.append((named, first.strerror or str(first)))
        if len(found) == before and not survey.refused:
            raise typer.BadParameter(f"{printable(named)} holds no scans")
    return FoundScans(tuple(found), sidecars, tuple(unread))


def _scans_in(folder: Path, survey: WalkSummary) -> list[Path]:
    """Return the paths of the scans below a folder, sorted; what else there is goes into the survey."""
    paths: list[bytes] = []
    try:
        paths.extend(entry.path for entry in walk(os.fsencode(folder), summary=survey))
    except OSError as error:
        survey.refused[b""] = error
    return [Path(os.fsdecode(path)) for path in sorted(paths)]


def is_stdio(path: Path) -> bool:
    """Whether `-` was said: standard input or output."""
    return path == _STANDARD


def names_one_file(masters: Sequence[Path], output: Path) -> bool:
    """Whether `output` is meant as the name of a file: one scan, and no folder there or in the wording."""
    return (
        len(masters) == 1
        and not masters[0].is_dir()
        and not output.is_dir()
        and output.suffix.lower() in _FORMATS
    )


def output_path(masters: Sequence[Path], output: str) -> Path:
    """Return the output that was asked for.

    Raises:
        typer.BadParameter: it names a file of another format, or a file where a folder is needed.
    """
    path = Path(output)
    if is_stdio(path) or path.is_dir() or output.endswith("/") or not _ENDING.fullmatch(path.suffix):
        return path
    if path.suffix.lower() not in _FORMATS:
        raise typer.BadParameter(
            f"{printable(path)}: Saek writes {', '.join(_FORMATS)}; the name of a folder that does not exist "
            "yet ends with /"
        )
    if not names_one_file(masters, path):
        raise typer.BadParameter(
            f"{printable(path)} is the name of a file; several scans, or a folder of scans, need a folder"
        )
    return path


def format_by_extension(output: Path) -> str:
    """Return the format that a name with a known ending asks for."""
    return _FORMATS[output.suffix.lower()]


def plan_outputs(
    found: FoundScans, output: Path, suffix: str, *, single: bool = False, with_confidence: bool = False
) -> list[PlannedOutput]:
    """Return the masters with their outputs: `output` itself for a `single` one, else a file in it.

    Scans of a folder keep its shape. Two masters of one name but different endings both keep their ending in
    the new name. The map of confidence of `a.tif` is `a.confidence.png`, beside it.

    Raises:
        typer.BadParameter: the output is a file where a folder is needed, or two files get one name.
    """
    pieces = _single(found, output, suffix) if single else _in_folder(found, output, suffix)
    if with_confidence:
        pieces = [replace(piece, confidence=piece.output.with_suffix(_CONFIDENCE)) for piece in pieces]
    names = Counter(_key(path) for piece in pieces for path in piece.files)
    twins = [name for name, times in names.items() if times > 1]
    if twins:
        raise typer.BadParameter(
            f"several files would become {printable(twins[0])}; restore the scans into folders of their own"
        )
    return pieces


def _single(found: FoundScans, output: Path, suffix: str) -> list[PlannedOutput]:
    if output.suffix.lower() not in {ending for ending in _FORMATS if _FORMATS[ending] == _FORMATS[suffix]}:
        raise typer.BadParameter(f"{printable(output.name)} does not end as --format says ({suffix})")
    ((master, _),) = found.masters
    return [PlannedOutput(master, output)]


def _in_folder(found: FoundScans, output: Path, suffix: str) -> list[PlannedOutput]:
    if output.exists() and not output.is_dir():
        raise typer.BadParameter(
            f"{printable(output)} is a file; several scans, or a folder of scans, need a folder"
        )
    stems = Counter(_key(relative.with_suffix("")) for _, relative in found.masters)
    return [
        PlannedOutput(
            master, output / _renamed(relative, suffix, whole=stems[_key(relative.with_suffix(""))] > 1)
        )
        for master, relative in found.masters
    ]


def refuse_overwriting(pieces: Sequence[PlannedOutput], *, force: bool) -> None:
    """Raise typer.BadParameter if an output is a master, or exists and `force` was not said."""
    masters = {piece.master.resolve() for piece in pieces}
    for master, path in ((piece.master, path) for piece in pieces for path in piece.files):
        if path.resolve() in masters or (path.exists() and master.exists() and path.samefile(master)):
            raise typer.BadParameter(
                f"{path} is a master: masters are never written to; choose another output"
            )
        if path.exists() and not force:
            raise typer.BadParameter(f"{path} exists; --force replaces derivatives")


def _renamed(relative: Path, suffix: str, *, whole: bool) -> Path:
    return relative.with_name(f"{relative.name if whole else relative.stem}{suffix}")


def _key(path: Path) -> str:
    return str(path).casefold()
