"""Scans named on the command line of `saek restore`: files, and folders with all below them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from worker.inbox.walk import Entry, WalkSummary, walk
from worker.printable import printable


@dataclass(frozen=True, slots=True)
class FoundScans:
    """The scans that the command line names, and what was ignored among them."""

    masters: tuple[tuple[Path, Path], ...]
    """Each with its path below the folder that was named; of a single file, its name."""
    sidecars: int = 0
    """Number of files in the folders that are known not to be pictures."""
    unread: tuple[tuple[Path, str], ...] = ()
    """Folders that could not be read completely, with the reason."""


@dataclass(slots=True, kw_only=True)
class _OutsideOutput(WalkSummary):
    """The summary of a walk that leaves out the output folder, which may be in the folder walked."""

    folder: Path
    output: Path

    def counts_as_scan(self, entry: Entry) -> bool:
        path = self.folder / os.fsdecode(entry.path)
        if path.absolute().is_relative_to(self.output.absolute()):
            return False
        return WalkSummary.counts_as_scan(self, entry)  # super() fails: slots=True makes a second class


def find_scans(masters: Sequence[Path], output: Path) -> FoundScans:
    """Find the scans that are named, or are below a named folder; earlier outputs are not masters.

    Raises:
        typer.BadParameter: a named folder holds no scans, or is in the output.
    """
    found: list[tuple[Path, Path]] = []
    unread: list[tuple[Path, str]] = []
    sidecars = 0
    for named in masters:
        if not named.is_dir():
            found.append((named, Path(named.name)))
            continue
        if named.absolute().is_relative_to(output.absolute()):
            raise typer.BadParameter(
                f"{printable(named)} is in the output {printable(output)}; choose another output folder"
            )
        summary = _OutsideOutput(folder=named, output=output)
        paths: list[bytes] = []
        try:
            paths.extend(entry.path for entry in walk(os.fsencode(named), summary=summary))
        except OSError as error:
            summary.refused[b""] = error
        if summary.refused:
            first = next(iter(summary.refused.values()))
            unread.append((named, first.strerror or str(first)))
        elif not paths:
            raise typer.BadParameter(f"{printable(named)} holds no scans")
        found.extend((named / os.fsdecode(path), Path(os.fsdecode(path))) for path in sorted(paths))
        sidecars += summary.sidecars
    return FoundScans(tuple(found), sidecars, tuple(unread))
