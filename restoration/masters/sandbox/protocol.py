"""How a reading process and the one that it reads for talk: frames of JSON, planes of numbers behind them.

A frame is two big-endian unsigned 32-bit lengths, the JSON in UTF-8, then raw bytes. Nothing is unpickled,
and whatever comes out of a reading process is checked: a file may have taken it over.
"""

import base64
import json
import os
import struct
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Final, get_type_hints

from restoration import errors
from restoration.masters.facts import Limits, ScanFacts

_LENGTHS = struct.Struct(">II")
MAX_MESSAGE: Final = 1 << 20
"""Longest JSON of a frame, bytes."""

_CHUNK = 1 << 20

Read = Callable[[int], bytes]
"""Reads at most so many bytes; none at the end."""

ERRORS: Final[Mapping[str, type[errors.RestorationError]]] = {
    kind.__name__: kind
    for kind in (
        errors.AlreadyRestored,
        errors.MissingFile,
        errors.UnreadableFile,
        errors.UnsafeFile,
        errors.EmptyFile,
        errors.NotAnImage,
        errors.UnsupportedImage,
        errors.TruncatedImage,
        errors.ImageTooLarge,
        errors.ImplausiblePixels,
        errors.DecodersDisagree,
        errors.MasterUnavailable,
        errors.NoSpace,
        errors.OutputUnavailable,
    )
}
"""What a reading process may find, by name."""


class ProtocolError(Exception):
    """What came is no frame, or not what was asked for."""


def frame(words: Mapping[str, Any], size: int = 0) -> bytes:
    """Return the head of a frame that `size` raw bytes follow."""
    text = json.dumps(words).encode()
    return _LENGTHS.pack(len(text), size) + text


def write(descriptor: int, data: bytes | memoryview) -> None:
    """Write all of it. Raises OSError, as when nobody reads any more."""
    rest = memoryview(data).cast("B")
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def receive(read: Read, most: int) -> tuple[dict[str, Any], bytes] | None:
    """Return the next frame, None at the end. Raises Garbled if it has more than `most` raw bytes."""
    head = _exactly(read, _LENGTHS.size)
    if head is None:
        return None
    words, size = _LENGTHS.unpack(head)
    if words > MAX_MESSAGE or size > most:
        raise ProtocolError(f"a frame of {words:,} and {size:,} bytes")
    text, raw = _exactly(read, words), _exactly(read, size)
    if text is None or raw is None:
        return None
    try:
        told = json.loads(text)
    except ValueError as error:
        raise ProtocolError("a frame that is no JSON") from error
    if not isinstance(told, dict):
        raise ProtocolError("a frame without names")
    return told, raw


def path_words(path: Path) -> str:
    """Return an absolute path that leads where `path` does, whatever its bytes, as JSON can hold it.

    The reading process works in a folder of its own, so a relative path would mean another file there. The
    path is joined to the working folder and not simplified: `..` behind a symbolic link leads where the
    kernel says. Raises MissingFile if `path` is relative and the working folder is gone.
    """
    try:
        whole = path if path.is_absolute() else Path.cwd() / path
    except FileNotFoundError as error:
        raise errors.MissingFile(
            reason="the working folder has been removed",
            remedy="change to a folder that exists, or give the whole path",
            path=path,
        ) from error
    return base64.b64encode(os.fsencode(whole)).decode()


def path_of(words: str) -> Path:
    """Undo `path_words`."""
    return Path(os.fsdecode(base64.b64decode(words)))


def facts_words(facts: ScanFacts) -> dict[str, Any]:
    """Return facts as JSON can hold them."""
    return asdict(facts)


def facts_of(words: object) -> ScanFacts:
    """Undo `facts_words`. Raises Garbled unless each value is of its kind."""
    kinds = get_type_hints(ScanFacts)
    if not isinstance(words, dict) or set(words) != set(kinds):
        raise ProtocolError("facts of another shape")
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in words.items()
    }
    if not all(_fits(name, value, kinds[name]) for name, value in values.items()):
        raise ProtocolError("facts that cannot be")
    if min(values["width"], values["height"], values["bands"]) < 1:
        raise ProtocolError("facts that cannot be")
    return ScanFacts(**values)


def notes_of(words: object) -> tuple[str, ...]:
    """Return what was noted about a file. Raises Garbled unless these are texts."""
    if not isinstance(words, list) or not _are_texts(tuple(words)):
        raise ProtocolError("notes that are none")
    return tuple(words)


def _fits(name: str, value: object, kind: type) -> bool:
    if name == "dpi":
        if not isinstance(value, tuple):
            return value is None
        return len(value) == 2 and all(isinstance(one, int | float) for one in value)
    if name == "notes":
        return _are_texts(value)
    return isinstance(value, kind) and isinstance(value, bool) == (kind is bool)


def _are_texts(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(one, str) for one in value)


def limits_words(limits: Limits) -> dict[str, int]:
    """Return limits as JSON can hold them."""
    return {one.name: getattr(limits, one.name) for one in fields(limits)}


def error_words(error: errors.RestorationError) -> dict[str, str]:
    """Return an error, without its path, as JSON can hold it."""
    return {"kind": type(error).__name__, "reason": error.reason, "remedy": error.remedy}


def error_of(words: object, path: Path) -> errors.RestorationError:
    """Undo `error_words`. Raises Garbled if it is none that a reading process may find."""
    if not isinstance(words, dict) or set(words) != {"kind", "reason", "remedy"}:
        raise ProtocolError("an error of another shape")
    kind, reason, remedy = words["kind"], words["reason"], words["remedy"]
    if kind not in ERRORS or not isinstance(reason, str) or not isinstance(remedy, str):
        raise ProtocolError("an unknown error")
    return ERRORS[kind](reason=reason, remedy=remedy, path=path)


def _exactly(read: Read, size: int) -> bytes | None:
    parts = bytearray()
    while len(parts) < size:
        part = read(min(_CHUNK, size - len(parts)))
        if not part:
            return None
        parts += part
    return bytes(parts)
