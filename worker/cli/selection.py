"""Files and jobs that the arguments of a command select."""

import datetime as dt
import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from db.vocabulary import FileState
from worker.cli.suggestions import is_folder, no_such_collection, no_such_file
from worker.errors import NothingFound
from worker.printable import display_path
from worker.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from db.catalog import Selection
    from db.reports import ScanHistory

_NUMBER = re.compile(r"(?:file:)?(\d{1,18})")
_REFERENCE = re.compile(r"(?:scan|job):\d{1,18}")
_JOB = re.compile(r"job:(\d{1,18})")


@dataclass(frozen=True, slots=True)
class Filters:
    """The options `--collection`, `--state`, `--since`, `--until`, `--stale` and `--all`."""

    collections: Sequence[str] = ()
    states: Sequence[FileState] = ()
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    stale_for: str | None = None
    all: bool = False


def selection(s: "Session", words: Sequence[str], filters: Filters, settings: Settings) -> "Selection":
    """Return the files that selectors and filters select together.

    Raises:
        NothingFound: a selector or a collection matches nothing on record (`--state` and the like may).
        db.errors.EmptySelection: there is neither a selector nor a filter.
    """
    from db.catalog import Selection, select_files
    from db.errors import EmptySelection

    ids: list[int] = []
    globs: list[str] = []
    for word in words:
        if number := _NUMBER.fullmatch(word):
            ids.append(int(number[1]))
            if not any(select_files(s, Selection(ids=(ids[-1],)))):
                raise _not_found(s, word, settings)
        elif _REFERENCE.fullmatch(word):
            ids.extend(sighting.id for sighting in _require_history(s, word, settings).sightings)
        else:
            wanted = _globs(word, settings.inbox_path)
            if any(select_files(s, Selection(globs=wanted))):
                globs.extend(wanted)
            elif (made := _by_derivative(s, word, settings)) is not None:
                ids.extend(sighting.id for sighting in made.sightings)
            else:
                raise _not_found(s, word, settings)
    chosen = Selection(
        collections=collections(s, filters.collections, settings),
        states=tuple(filters.states),
        since=filters.since,
        until=filters.until,
        ids=tuple(ids),
        globs=tuple(globs),
        stale_for=filters.stale_for,
        all=filters.all,
    )
    if replace(chosen, all=False) == Selection() and not chosen.all:
        raise EmptySelection(
            reason="No files were selected",
            remedy="name files, ids or globs, or use --collection, --state, --since, --until or --all",
        )
    return chosen


def collections(s: "Session", names: Iterable[str], settings: Settings) -> tuple[str, ...]:
    """Return the collections of these names: paths relative to the inbox or the working folder, or absolute.

    The inbox itself and an empty name are "", all files. Raises NothingFound for a collection without files.
    """
    from db.catalog import has_files

    found = []
    for name in names:
        meant = _folders(name, settings)
        known = [collection for collection in meant if not collection or has_files(s, collection)]
        if not known:
            raise no_such_collection(s, name, meant, settings.inbox_path)
        found.append(known[0])
    return tuple(found)


def job_ids(s: "Session", words: Iterable[str], settings: Settings) -> tuple[int, ...]:
    """Return the ids of the selectors of the form `job:N`. Raises NothingFound."""
    named = [(word, int(match[1])) for word in words if (match := _JOB.fullmatch(word))]
    for word, _ in named:
        _require_history(s, word, settings)
    return tuple(number for _, number in named)


def find_history(s: "Session", word: str, settings: Settings) -> "ScanHistory":
    """Return the history of the file, scan, job or checksum that `word` means.

    A path may be of the master: absolute, or relative to the working folder or the inbox, in any encoding. Or
    it is of a derivative, likewise, or just its name.

    Raises:
        NothingFound: nothing on record matches.
        db.errors.AmbiguousSelector: a checksum prefix matches several scans.
    """
    from db.reports import scan_history

    for candidate in _candidates(word, settings.inbox_path):
        found = scan_history(s, candidate)
        if found is not None:
            return found
    if (found := _by_derivative(s, word, settings)) is not None:
        return found
    raise _not_found(s, word, settings)


def _by_derivative(s: "Session", word: str, settings: Settings) -> "ScanHistory | None":
    from db.reports import derivative_history

    inside = _relative_to(word, settings.outbox_path)
    paths = ([] if inside is None else [inside]) + ([] if Path(word).is_absolute() else [word])
    for path in paths:
        found = derivative_history(s, os.fsencode(os.path.normpath(path)))
        if found is not None:
            return found
    return None


def _candidates(word: str, inbox: Path) -> Iterable[str | bytes]:
    """Yield the display path, id or checksum that `word` may be, then the paths below the inbox."""
    if not Path(word).is_absolute():
        try:
            word.encode()
        except UnicodeEncodeError:
            pass  # undecodable bytes, which no display path holds
        else:
            yield unicodedata.normalize("NFC", word)
        yield os.fsencode(word)
    inside = _relative_to(word, inbox)
    if inside is not None:
        yield os.fsencode(inside)


def _relative_to(word: str, root: Path) -> str | None:
    """Return `word`, a path seen from the working folder, relative to `root`; None if it is not below."""
    for path in (
        Path(os.path.normpath(Path(word).absolute())),
        Path(os.path.normpath(word)).absolute().parent.resolve() / Path(os.path.normpath(word)).name,
    ):
        for folder in (root, root.resolve()):
            if path != folder and path.is_relative_to(folder):
                return str(path.relative_to(folder))
    return None


def _require_history(s: "Session", word: str, settings: Settings) -> "ScanHistory":
    from db.reports import scan_history

    found = scan_history(s, word)
    if found is None:
        raise _not_found(s, word, settings)
    return found


def _not_found(s: "Session", word: str, settings: Settings) -> NothingFound:
    from db.catalog import has_files

    for collection in _folders(word, settings) if word else ():
        if has_files(s, collection) or (settings.inbox_path / collection).is_dir():
            return is_folder(word, collection)
    return no_such_file(s, word, _display(_relative_to(word, settings.inbox_path) or word))


def _globs(word: str, inbox: Path) -> tuple[str, ...]:
    """Return globs over display paths: the literal name and, unless it is a file, the word as a glob."""
    text = _relative_to(word, inbox) or word
    literal = re.sub(r"([*?\[])", r"[\1]", _display(text))
    return (literal,) if (inbox / text).exists() else (literal, _display(text))


def _folders(name: str, settings: Settings) -> list[str]:
    """Return the collections that a name may mean: relative to the inbox, then to the working folder.

    A folder of the outbox means the same folder of the inbox; "" is the inbox itself.
    """
    if not name:
        return [""]
    first, *_ = name.split("/", 1)
    found = [] if first in {"", ".", ".."} else [_display(os.path.normpath(name))]
    for root in (settings.inbox_path, settings.outbox_path):
        if Path(name).resolve() == root.resolve():
            found.append("")
        elif (inside := _relative_to(name, root)) is not None:
            found.append(_display(inside))
    return found or [_display(os.path.normpath(name))]


def _display(path: str) -> str:
    return display_path(os.fsencode(path))
