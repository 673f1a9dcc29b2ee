"""Errors for names that are not on record, with similar names as suggestions."""

from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher, get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Final

from worker.errors import NothingFound
from worker.printable import printable

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

_SHOWN: Final = 3
_COMPARED: Final = 5_000
_CUTOFF: Final = 0.6
_TOLERANCE: Final = 0.1


def no_such_file(s: "Session", word: str, name: str) -> NothingFound:
    """Return the error for a word that matches no file; `name` is its display path below the inbox."""
    from db.catalog import collections_on_record, similar_names

    files = similar_names(s, name, _COMPARED)
    near = _near(name, files)
    last = {path.rpartition("/")[2].casefold(): path for path in files}
    for found in _near(name.rpartition("/")[2].casefold(), last):
        near.append(last[found])
    if not near and "/" in name:  # the folder may be misspelled
        folder, _, _ = name.rpartition("/")
        near = [f"{found}/" for found in _near(folder, collections_on_record(s))]
    return NothingFound(
        reason=f"Nothing on record is named {printable(word)}.",
        remedy=_suggest(near)
        or "Give a path in the inbox, a number of `saek status --state`, scan:N or job:N.",
    )


def no_such_collection(s: "Session", word: str, meant: Sequence[str], inbox: Path) -> NothingFound:
    """Return the error for a word that may mean these collections, none of which holds files."""
    from db.catalog import collections_on_record

    if any((inbox / collection).is_dir() for collection in meant):
        return NothingFound(
            reason=f"The collection {printable(word)} holds no file on record.",
            remedy="Drop scans into that folder, or wait until the station has recorded them.",
        )
    known = collections_on_record(s)
    last = {path.rpartition("/")[2].casefold(): path for path in sorted(known)}
    near = _near(meant[0], known)
    near += [last[found] for found in _near(meant[0].rpartition("/")[2].casefold(), last)]
    return NothingFound(
        reason=f"No collection on record is named {printable(word)}.",
        remedy=_suggest(near) or "`saek status` lists the collections, the folders of the inbox.",
    )


def is_folder(word: str, collection: str) -> NothingFound:
    """Return the error for a folder where a file is expected."""
    name = printable(collection)
    option = f"--collection '{name}'" if " " in name or not name else f"--collection {name}"
    return NothingFound(
        reason=f"The path {printable(word)} is a folder of the inbox, not a file.",
        remedy=f"Choose its files with {option}.",
    )


def _near(name: str, names: Iterable[str]) -> list[str]:
    """Return the most similar names, without those that are clearly less similar than the best."""
    near = get_close_matches(name, names, _SHOWN, _CUTOFF)
    ratios = {found: SequenceMatcher(None, found, name).ratio() for found in near}
    return [found for found in near if ratios[found] > ratios[near[0]] - _TOLERANCE]


def _suggest(names: list[str]) -> str:
    shown = [printable(name) for name in dict.fromkeys(names)][:_SHOWN]
    return f"Did you mean {' or '.join(shown)}?" if shown else ""
