"""The JSON file beside each derivative that tells all that is on record of it, and its own checksum."""

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
"""Raised when a reader of the version before could not read it; keys are added without that."""

SUFFIX: Final = ".json"
MAX_BYTES: Final = 16_000_000
_DEEPEST: Final = 50

_PURPOSE: Final = (
    "All that Saek's record knew of the picture beside this file when it was made. From these files the "
    "record can be built anew: saek recover database."
)


def sidecar_path(derivative: Path) -> Path:
    """Return where the sidecar of a derivative lies: beside it, under its whole name and `.json`."""
    return derivative.with_name(derivative.name + SUFFIX)


def publish_with_sidecar(s: Session, job_id: int, unfinished: Path, final: Path) -> None:
    """Give a finished draft its name, and before that a sidecar; both durably.

    Call it inside the transaction that ends the job. A process that is killed leaves nothing, or the sidecar,
    or both: the next attempt at the job writes both anew. Raises NoSpace, OutputUnavailable.
    """
    write_sidecar(s, job_id, final, unfinished.name + SUFFIX)
    publish(unfinished, final)


def write_sidecar(s: Session, job_id: int, derivative: Path, draft: str | None = None) -> None:
    """Write the sidecar of a job's derivative by way of a `draft`, replacing the one that is there.

    Raises NoSpace, OutputUnavailable, and LookupError if the record knows no derivative of the job.
    """
    text = sidecar_text(sidecar_object(s, job_id))
    write_file(sidecar_path(derivative), text, draft or f".saek-job{job_id}-sidecar{SUFFIX}")


def sidecar_text(told: Mapping[str, Any]) -> bytes:
    """Return the bytes of a sidecar; the last key is the sha256 of all others."""
    whole = {
        "schema": SCHEMA,
        "version": VERSION,
        "statement": dict(STATEMENTS),
        "purpose": _PURPOSE,
        "software": f"{SAEK.name} {SAEK.version}",
        "written_at": utcnow().isoformat(),
        **told,
    }
    whole["digest"] = _digest(whole)
    return json.dumps(whole, indent=1, ensure_ascii=False, default=str).encode("utf-8", "backslashreplace")


def read_sidecar_file(path: Path) -> tuple[Sidecar, str]:
    """Return a sidecar and the sha256 of its file.

    Raises BrokenSidecar: it is no regular file, too large, damaged, of a newer release, or tells nonsense.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise _broken("it is no regular file")
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        link = error.errno == errno.ELOOP
        reason = (
            "it is a link, which could lead anywhere" if link else f"it cannot be read ({error.strerror})"
        )
        raise _broken(reason) from error
    if len(raw) > MAX_BYTES:
        raise _broken(f"it is larger than {MAX_BYTES / 1e6:.0f} MB")
    return parse(raw), hashlib.sha256(raw).hexdigest()


def describes(path: Path, sha256: str) -> bool:
    """Whether a whole sidecar lies there that tells of the derivative with this checksum."""
    try:
        sidecar, _ = read_sidecar_file(path)
    except BrokenSidecar:
        return False
    return bool(sidecar.derivative["sha256"] == sha256)


def parse(raw: bytes) -> Sidecar:
    """Return what the bytes of a sidecar tell. Raises BrokenSidecar."""
    try:
        told = json.loads(raw.decode(), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise _broken("it is no JSON; it may be cut off") from error
    if not _is_shallow(told):
        raise _broken(f"it is nested more than {_DEEPEST} levels deep")
    if not isinstance(told, dict) or told.get("schema") != SCHEMA:
        raise _broken("it is no sidecar of Saek's")
    if told.get("version") != VERSION:
        raise BrokenSidecar(
            reason=f"it has version {told.get('version')!r}, this release reads {VERSION}",
            remedy="install a newer release",
        )
    if told.pop("digest", None) != _digest(told):
        raise _broken("its checksum does not fit: it was changed or is damaged")
    sidecar = read_sidecar(told)
    _require_recipe(sidecar)
    if sidecar.derivative["format"] not in set(OutputFormat):
        raise _broken(f"it tells of a derivative of the format {sidecar.derivative['format']!r}")
    return replace(sidecar, sightings=tuple(map(_shown, sidecar.sightings)))


def _require_recipe(sidecar: Sidecar) -> None:
    """Raise BrokenSidecar unless recipe, fingerprint and model are one."""
    body = sidecar.recipe["body"]
    try:
        recipe = recipe_of(body)
        facts = json.loads(recipe.to_json())
    except (ValueError, TypeError, OverflowError) as error:
        raise _broken(f"its recipe is none ({error})") from error
    kinds = {name: type(value) for name, value in facts.items()}
    for name, value in body.items():
        whole = kinds.get(name) is float and type(value) is int  # as some databases give back 1.0
        if type(value) is not kinds.get(name, type(value)) and not whole:
            raise _broken(f"its recipe is none ({name} is of the wrong kind)")
    if (recipe.fingerprint(), recipe.weights, recipe.model) != (
        sidecar.recipe["fingerprint"],
        sidecar.model["weights_sha256"],
        sidecar.model["name"],
    ):
        raise _broken("fingerprint, recipe and model do not fit together")


def _shown(sighting: Mapping[str, Any]) -> dict[str, Any]:
    """Return a sighting with what people see of it by the rule of intake, whatever the file says."""
    display = display_path(sighting["path"])
    return {**sighting, "display": display, "collection": display.rpartition("/")[0]}


def _is_shallow(told: Any) -> bool:
    """Whether no value lies too deep for the functions that go through all of it."""
    level: list[Any] = [told]
    for _ in range(_DEEPEST):
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
    raise ValueError(f"{word} is no number")


def _broken(reason: str) -> BrokenSidecar:
    return BrokenSidecar(
        reason=reason,
        remedy="restore it from a backup, or write it anew from the record: saek recover sidecars",
    )
