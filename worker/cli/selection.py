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
from worker.cli.words import printable
from worker.errors import NothingFound

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from db.selection import Selection
    from db.story import Story

_NUMBER = re.compile(r"(?:file:)?(\d{1,18})")
_REFERENCE = re.compile(r"(?:scan|job):\d{1,18}")
_JOB = re.compile(r"job:(\d{1,18})")


@dataclass(frozen=True, slots=True)
class Conditions:
    """What `--collection`, `--state`, `--since`, `--until`, `--stale` and `--all` said."""

    collections: Sequence[str] = ()
    states: Sequence[FileState] = ()
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    stale_for: str | None = None
    all: bool = False


def selection(s: "Session", words: Sequence[str], conditions: Conditions, inbox: Path) -> "Selection":
    """Return the choice of files that the words and conditions make together.

    Raises:
        NothingFound: a word fits nothing on record; `--state` and the like may fit nothing.
        db.errors.EmptySelection: nothing was said that chooses.
    """
    from db.errors import EmptySelection
    from db.selection import Selection, select_files

    ids: list[int] = []
    globs: list[str] = []
    for word in words:
        if number := _NUMBER.fullmatch(word):
            ids.append(int(number[1]))
            if not any(select_files(s, Selection(ids=(ids[-1],)))):
                raise _nothing(word)
        elif _REFERENCE.fullmatch(word):
            ids.extend(sighting.id for sighting in _known(s, word).sightings)
        else:
            wanted = _globs(word, inbox)
            if not any(select_files(s, Selection(globs=wanted))):
                raise _nothing(word)
            globs.extend(wanted)
    chosen = Selection(
        collections=tuple(_folder(name, inbox) for name in conditions.collections),
        states=tuple(conditions.states),
        since=conditions.since,
        until=conditions.until,
        ids=tuple(ids),
        globs=tuple(globs),
        stale_for=conditions.stale_for,
        all=conditions.all,
    )
    if replace(chosen, all=False) == Selection() and not chosen.all:
        raise EmptySelection(
            "No files were chosen",
            "name files, ids or globs, or use --collection, --state, --since, --until, --all",
        )
    return chosen


def job_ids(s: "Session", words: Iterable[str]) -> tuple[int, ...]:
    """Return the ids of the words that are of the form `job:N`. Raises NothingFound."""
    named = [(word, int(match[1])) for word in words if (match := _JOB.fullmatch(word))]
    for word, _ in named:
        _known(s, word)
    return tuple(number for _, number in named)


def find_story(s: "Session", word: str, inbox: Path) -> "Story":
    """Return the story of the file, scan, job or checksum that `word` means.

    A path may be absolute, relative to the working folder, or relative to the inbox, in any encoding.

    Raises:
        NothingFound: nothing on record fits.
        db.errors.AmbiguousSelector: a checksum prefix fits several scans.
    """
    from db.story import story

    for candidate in _readings(word, inbox):
        found = story(s, candidate)
        if found is not None:
            return found
    raise _nothing(word)


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
        Path(word).absolute().parent.resolve() / Path(word).name,
    ):
        for root in (inbox, inbox.resolve()):
            if path != root and path.is_relative_to(root):
                return str(path.relative_to(root))
    return None


def _known(s: "Session", word: str) -> "Story":
    from db.story import story

    found = story(s, word)
    if found is None:
        raise _nothing(word)
    return found


def _nothing(word: str) -> NothingFound:
    return NothingFound(
        reason=f"Nothing on record is called {printable(word)}.",
        remedy="Give a path in the inbox, a number of `saek status --state`, scan:N or job:N.",
    )


def _globs(word: str, inbox: Path) -> tuple[str, ...]:
    """Return globs over display paths: the name as it stands, and as a glob unless it is that of a file."""
    text = _inside(word, inbox) or word
    literal = re.sub(r"([*?\[])", r"[\1]", display(text))
    return (literal,) if (inbox / text).exists() else (literal, display(text))


def _folder(name: str, inbox: Path) -> str:
    return display(_inside(name, inbox) or name).strip("/")


def display(path: str) -> str:
    """Return a path as the record shows it: NFC text, undecodable bytes as escapes."""
    return unicodedata.normalize("NFC", os.fsencode(path).decode("utf-8", "backslashreplace"))


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
