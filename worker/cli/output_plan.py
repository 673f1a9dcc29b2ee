"""The output files of `saek restore`: their names, and which names are refused."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import typer

from worker.cli.scans import FoundScans
from worker.printable import printable

_STDIO = Path("-")
_FILE_EXTENSION = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,4}")
_CONFIDENCE = ".confidence.png"
_FORMATS = {".tif": "tiff", ".tiff": "tiff", ".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"}


@dataclass(frozen=True, slots=True)
class PlannedOutput:
    """One master and the files that are written for it."""

    master: Path
    output: Path
    confidence: Path | None = None
    """Path of the confidence map, None if it was not asked for."""
    piped: bool = False
    """True if the master came from standard input."""

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that are written for this master."""
        return (self.output,) if self.confidence is None else (self.output, self.confidence)


def is_stdio(path: Path) -> bool:
    """Return whether the path is `-`: standard input or output."""
    return path == _STDIO


def names_one_file(masters: Sequence[Path], output: Path) -> bool:
    """Return whether `output` names a file: one scan, an image extension, and no folder of that name."""
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
    if is_stdio(path) or path.is_dir() or output.endswith("/") or not _FILE_EXTENSION.fullmatch(path.suffix):
        return path
    if path.suffix.lower() not in _FORMATS:
        raise typer.BadParameter(
            f"{printable(path)}: Saek writes {', '.join(_FORMATS)}; end the name of a new folder with /"
        )
    if not names_one_file(masters, path):
        raise typer.BadParameter(
            f"{printable(path)} is the name of a file; several scans, or a folder of scans, need a folder"
        )
    return path


def format_by_extension(output: Path) -> str:
    """Return the format of a file name with a known extension."""
    return _FORMATS[output.suffix.lower()]


def plan_outputs(
    found: FoundScans, output: Path, suffix: str, *, single: bool = False, with_confidence: bool = False
) -> list[PlannedOutput]:
    """Return the masters with their outputs: `output` itself for a `single` one, else a file in it.

    Scans of a folder keep their subfolders. Two masters that differ only in their extension keep it in the
    new name. The confidence map of `a.tif` is `a.confidence.png`, beside it.

    Raises:
        typer.BadParameter: the output is a file where a folder is needed, or two files get one name.
    """
    if single:
        if _FORMATS.get(output.suffix.lower()) != _FORMATS[suffix]:
            raise typer.BadParameter(
                f"the extension of {printable(output.name)} does not match --format ({suffix})"
            )
        ((master, _),) = found.masters
        planned = [PlannedOutput(master, output)]
    else:
        planned = _in_folder(found, output, suffix)
    if with_confidence:
        planned = [replace(one, confidence=one.output.with_suffix(_CONFIDENCE)) for one in planned]
    names = Counter(_key(path) for one in planned for path in one.files)
    twins = [name for name, times in names.items() if times > 1]
    if twins:
        raise typer.BadParameter(
            f"several files would become {printable(twins[0])}; restore the scans into separate folders"
        )
    return planned


def _in_folder(found: FoundScans, output: Path, suffix: str) -> list[PlannedOutput]:
    if output.exists() and not output.is_dir():
        raise typer.BadParameter(
            f"{printable(output)} is a file; several scans, or a folder of scans, need a folder"
        )
    stems = Counter(_key(relative.with_suffix("")) for _, relative in found.masters)
    planned = []
    for master, relative in found.masters:
        unique = stems[_key(relative.with_suffix(""))] == 1
        name = f"{relative.stem if unique else relative.name}{suffix}"
        planned.append(PlannedOutput(master, output / relative.with_name(name)))
    return planned


def refuse_overwriting(planned: Sequence[PlannedOutput], *, force: bool) -> None:
    """Raise typer.BadParameter if an output is a master, or exists and `force` is not given."""
    masters = {one.master.resolve() for one in planned}
    for master, path in ((one.master, path) for one in planned for path in one.files):
        if path.resolve() in masters or (path.exists() and master.exists() and path.samefile(master)):
            raise typer.BadParameter(
                f"{path} is a master: masters are never written to; choose another output"
            )
        if path.exists() and not force:
            raise typer.BadParameter(f"{path} exists; use --force to replace it")


def _key(path: Path) -> str:
    return str(path).casefold()
