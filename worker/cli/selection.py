"""Which files the words of a command line mean."""

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
    """What `--collection`, `--state`, `--since`, `--until`, `--stale` and `--all` said."""

    collections: Sequence[str] = ()
    states: Sequence[FileState] = ()
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    stale_for: str | None = None
    all: bool = False


def selection(s: "Session", words: Sequence[str], filters: Filters, settings: Settings) -> "Selection":
    """Return the choice of files that the words and filters make together.

    Raises:
        NothingFound: a word or a collection fits nothing on record; `--state` and the like may fit nothing.
        db.errors.EmptySelection: nothing was said that chooses.
    """
    from db.catalog import Selection, select_files
    from db.errors import EmptySelection

    ids: list[int] = []
    globs: list[str] = []
    for word in words:
        if number := _NUMBER.fullmatch(word):
            ids.append(int(number[1]))
            if not any(select_files(s, Selection(ids=(ids[-1],)))):
                raise _nothing(s, word, settings)
        elif _REFERENCE.fullmatch(word):
            ids.extend(sighting.id for sighting in _known(s, word, settings).sightings)
        else:
            wanted = _globs(word, settings.inbox_path)
            if any(select_files(s, Selection(globs=wanted))):
                globs.extend(wanted)
            elif (made := _by_derivative(s, word, settings)) is not None:
                ids.extend(sighting.id for sighting in made.sightings)
            else:
                raise _nothing(s, word, settings)
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
            "No files were chosen",
            "name files, ids or globs, or use --collection, --state, --since, --until, --all",
        )
    return chosen


def collections(s: "Session", names: Iterable[str], settings: Settings) -> tuple[str, ...]:
    """Return the collections that these names mean: folders from the inbox, from here, or from the root.

    The inbox itself, "." from it, or an empty name is "", the whole. Raises NothingFound for one that holds
    no file on record.
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
    """Return the ids of the words that are of the form `job:N`. Raises NothingFound."""
    named = [(word, int(match[1])) for word in words if (match := _JOB.fullmatch(word))]
    for word, _ in named:
        _known(s, word, settings)
    return tuple(number for _, number in named)


def find_history(s: "Session", word: str, settings: Settings) -> "ScanHistory":
    """Return the story of the file, scan, job or checksum that `word` means.

    A path may be that of the master: absolute, relative to the working folder, or relative to the inbox, in
    any encoding. Or it is that of a derivative, likewise, or its bare name.

    Raises:
        NothingFound: nothing on record fits.
        db.errors.AmbiguousSelector: a checksum prefix fits several scans.
    """
    from db.reports import scan_history

    for candidate in _readings(word, settings.inbox_path):
        found = scan_history(s, candidate)
        if found is not None:
            return found
    if (found := _by_derivative(s, word, settings)) is not None:
        return found
    raise _nothing(s, word, settings)


def _by_derivative(s: "Session", word: str, settings: Settings) -> "ScanHistory | None":
    from db.reports import derivative_history

    inside = _inside(word, settings.outbox_path)
    paths = ([] if inside is None else [inside]) + ([] if Path(word).is_absolute() else [word])
    for path in paths:
        found = derivative_history(s, os.fsencode(os.path.normpath(path)))
        if found is not None:
            return found
    return None


def _readings(word: str, inbox: Path) -> Iterable[str | bytes]:
    if not Path(word).is_absolute():
        if _encodable(word):
            yield unicodedata.normalize("NFC", word)
        yield os.fsencode(word)
    inside = _inside(word, inbox)
    if inside is not None:
        yield os.fsencode(inside)


def _inside(word: str, inbox: Path) -> str | None:
    """Return the path relative to the inbox of a path that lies in it as seen from the working folder."""
    for path in (
        Path(os.path.normpath(Path(word).absolute())),
        Path(os.path.normpath(word)).absolute().parent.resolve() / Path(os.path.normpath(word)).name,
    ):
        for root in (inbox, inbox.resolve()):
            if path != root and path.is_relative_to(root):
                return str(path.relative_to(root))
    return None


def _known(s: "Session", word: str, settings: Settings) -> "ScanHistory":
    from db.reports import scan_history

    found = scan_history(s, word)
    if found is None:
        raise _nothing(s, word, settings)
    return found


def _nothing(s: "Session", word: str, settings: Settings) -> NothingFound:
    from db.catalog import has_files

    for collection in _folders(word, settings) if word else ():
        if has_files(s, collection) or (settings.inbox_path / collection).is_dir():
            return is_folder(word, collection)
    return no_such_file(s, word, display(_inside(word, settings.inbox_path) or word))


def _globs(word: str, inbox: Path) -> tuple[str, ...]:
    """Return globs over display paths: the name as it stands, and as a glob unless it is that of a file."""
    text = _inside(word, inbox) or word
    literal = re.sub(r"([*?\[])", r"[\1]", display(text))
    return (literal,) if (inbox / text).exists() else (literal, display(text))


def _folders(name: str, settings: Settings) -> list[str]:
    """Return the collections that a name may mean, the likeliest first: from the inbox, then from here.

    A folder of the outbox stands for the same one of the inbox; "" is the inbox itself.
    """
    if not name:
        return [""]
    first, *_ = name.split("/", 1)
    found = [] if first in {"", ".", ".."} else [display(os.path.normpath(name))]
    for root in (settings.inbox_path, settings.outbox_path):
        if Path(name).resolve() == root.resolve():
            found.append("")
        elif (inside := _inside(name, root)) is not None:
            found.append(display(inside))
    return found or [display(os.path.normpath(name))]


def display(path: str) -> str:
    """Return a path as the record shows it: NFC text, undecodable bytes as escapes."""
    return unicodedata.normalize("NFC", os.fsencode(path).decode("utf-8", "backslashreplace"))


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
