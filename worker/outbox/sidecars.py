"""Sidecars: a JSON file beside each derivative with all that is on record of it, and its own checksum."""

import errno
import hashlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NoReturn

from sqlalchemy.orm import Session

from db.catalog import Sidecar, read_sidecar, sidecar_object
from db.errors import BrokenSidecar
from db.values import SAEK, utcnow
from restoration import STATEMENTS, OutputFormat, publish, write_file
from worker.printable import display_path
from worker.recipes import recipe_of

SCHEMA: Final = "saek-sidecar"
VERSION: Final = 1
"""Increased when older readers cannot read it; new keys do not count."""

SIDECAR_SUFFIX: Final = ".json"
MAX_SIDECAR_BYTES: Final = 16_000_000
_MAX_DEPTH: Final = 50

_PURPOSE: Final = (
    "All that Saek's record knew of the picture beside this file when it was made. From these files the "
    "record can be rebuilt: saek recover database."
)


def sidecar_path(derivative: Path) -> Path:
    """Return the path of the sidecar of a derivative: its whole name followed by `.json`."""
    return derivative.with_name(derivative.name + SIDECAR_SUFFIX)


def publish_with_sidecar(s: Session, job_id: int, unfinished: Path, final: Path) -> None:
    """Publish the sidecar of a finished draft, then the draft itself; both durably.

    Call it inside the transaction that ends the job. A process that is killed leaves nothing, the sidecar, or
    both: the next attempt writes both again. Raises NoSpace, OutputUnavailable.
    """
    write_sidecar(s, job_id, final, unfinished.name + SIDECAR_SUFFIX)
    publish(unfinished, final)


def write_sidecar(s: Session, job_id: int, derivative: Path, draft: str | None = None) -> None:
    """Write the sidecar of a job's derivative by way of a `draft`, replacing the one that is there.

    Raises NoSpace, OutputUnavailable, and LookupError if the record knows no derivative of the job.
    """
    text = sidecar_text(sidecar_object(s, job_id))
    write_file(sidecar_path(derivative), text, draft or f".saek-job{job_id}-sidecar{SIDECAR_SUFFIX}")


def sidecar_text(content: Mapping[str, Any]) -> bytes:
    """Return the content of a sidecar; its last key is the sha256 of all others."""
    whole = {
        "schema": SCHEMA,
        "version": VERSION,
        "statement": dict(STATEMENTS),
        "purpose": _PURPOSE,
        "software": f"{SAEK.name} {SAEK.version}",
        "written_at": utcnow().isoformat(),
        **content,
    }
    whole["digest"] = _digest(whole)
    return json.dumps(whole, indent=1, ensure_ascii=False, default=str).encode("utf-8", "backslashreplace")


def read_sidecar_file(path: Path) -> tuple[Sidecar, str]:
    """Return a sidecar and the sha256 of its file.

    Raises BrokenSidecar: it is not a regular file, too large, damaged, of a newer release, or inconsistent.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise _broken("it is not a regular file")
            raw = file.read(MAX_SIDECAR_BYTES + 1)
    except OSError as error:
        link = error.errno == errno.ELOOP
        reason = (
            "it is a link, which could lead anywhere" if link else f"it cannot be read ({error.strerror})"
        )
        raise _broken(reason) from error
    if len(raw) > MAX_SIDECAR_BYTES:
        raise _broken(f"it is larger than {MAX_SIDECAR_BYTES / 1e6:.0f} MB")
    return parse(raw), hashlib.sha256(raw).hexdigest()


def describes(path: Path, sha256: str) -> bool:
    """Return whether an intact sidecar exists there for the derivative with this checksum."""
    try:
        sidecar, _ = read_sidecar_file(path)
    except BrokenSidecar:
        return False
    return bool(sidecar.derivative["sha256"] == sha256)


def parse(raw: bytes) -> Sidecar:
    """Parse and check the content of a sidecar. Raises BrokenSidecar."""
    try:
        content = json.loads(raw.decode(), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise _broken("invalid JSON, possibly truncated") from error
    if not _is_shallow(content):
        raise _broken(f"it is nested more than {_MAX_DEPTH} levels deep")
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise _broken("it is not a sidecar of Saek")
    if content.get("version") != VERSION:
        raise BrokenSidecar(
            reason=f"it has version {content.get('version')!r}, this release reads {VERSION}",
            remedy="install a newer release",
        )
    if content.pop("digest", None) != _digest(content):
        raise _broken("its checksum does not match: it was changed or is damaged")
    sidecar = read_sidecar(content)
    _require_recipe(sidecar)
    if sidecar.derivative["format"] not in set(OutputFormat):
        raise _broken(f"it describes a derivative of the unknown format {sidecar.derivative['format']!r}")
    return replace(sidecar, sightings=tuple(map(_shown, sidecar.sightings)))


def _require_recipe(sidecar: Sidecar) -> None:
    """Raise BrokenSidecar unless recipe, fingerprint and model belong together."""
    body = sidecar.recipe["body"]
    try:
        recipe = recipe_of(body)
        facts = json.loads(recipe.to_json())
    except (ValueError, TypeError, OverflowError) as error:
        raise _broken(f"its recipe is invalid ({error})") from error
    kinds = {name: type(value) for name, value in facts.items()}
    for name, value in body.items():
        whole = kinds.get(name) is float and type(value) is int  # some databases return 1.0 so
        if type(value) is not kinds.get(name, type(value)) and not whole:
            raise _broken(f"its recipe is invalid ({name} has the wrong type)")
    if (recipe.fingerprint(), recipe.weights, recipe.model) != (
        sidecar.recipe["fingerprint"],
        sidecar.model["weights_sha256"],
        sidecar.model["name"],
    ):
        raise _broken("fingerprint, recipe and model do not belong together")


def _shown(sighting: Mapping[str, Any]) -> dict[str, Any]:
    """Return a sighting with the display name that intake would give it, regardless of the file."""
    display = display_path(sighting["path"])
    return {**sighting, "display": display, "collection": display.rpartition("/")[0]}


def _is_shallow(content: Any) -> bool:
    """Return whether the nesting is shallow enough for recursive functions."""
    level: list[Any] = [content]
    for _ in range(_MAX_DEPTH):
        level = [
            item
            for value in level
            if isinstance(value, dict | list)
            for item in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return True
    return False


def _digest(whole: Mapping[str, Any]) -> str:
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a number")


def _broken(reason: str) -> BrokenSidecar:
    return BrokenSidecar(
        reason=reason,
        remedy="restore it from a backup, or run `saek recover sidecars` to write it from the record",
    )
