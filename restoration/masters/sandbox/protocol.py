"""Messages between a reader process and its client: frames of JSON with raw bytes behind them.

A frame is two big-endian unsigned 32-bit lengths, the JSON in UTF-8, then raw bytes. Nothing is unpickled,
and everything that a reader process sends is checked: a malicious file may have taken it over.
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

MAX_MESSAGE: Final = 1 << 20
"""Bytes of the JSON of a frame."""
_LENGTHS: Final = struct.Struct(">II")
_CHUNK: Final = 1 << 20

Read = Callable[[int], bytes]
"""Reads at most this number of bytes; none at the end."""

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
"""Errors that a reader process may report, by name."""


class ProtocolError(Exception):
    """A message is malformed, or not an answer to the request."""


def frame(message: Mapping[str, Any], size: int = 0) -> bytes:
    """Return the beginning of a frame; `size` raw bytes must follow it."""
    text = json.dumps(message).encode()
    return _LENGTHS.pack(len(text), size) + text


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write all of `data`. Raises OSError, for instance if the other process is gone."""
    rest = memoryview(data).cast("B")
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def receive(read: Read, max_raw: int) -> tuple[dict[str, Any], bytes] | None:
    """Return the next message and its raw bytes, None at the end.

    Raises ProtocolError if it is malformed or has more than `max_raw` raw bytes.
    """
    head = _read_exactly(read, _LENGTHS.size)
    if head is None:
        return None
    length, size = _LENGTHS.unpack(head)
    if length > MAX_MESSAGE or size > max_raw:
        raise ProtocolError(f"a frame of {length:,} and {size:,} bytes")
    text, raw = _read_exactly(read, length), _read_exactly(read, size)
    if text is None or raw is None:
        return None
    try:
        message = json.loads(text)
    except ValueError as error:
        raise ProtocolError("invalid JSON") from error
    if not isinstance(message, dict):
        raise ProtocolError("JSON that is not an object")
    return message, raw


def _read_exactly(read: Read, size: int) -> bytes | None:
    parts = bytearray()
    while len(parts) < size:
        part = read(min(_CHUNK, size - len(parts)))
        if not part:
            return None
        parts += part
    return bytes(parts)


def encode_path(path: Path) -> str:
    """Return an absolute path to the same file, whatever its bytes, as JSON can hold it.

    The reader process has another working folder, where a relative path would mean another file. The path is
    joined to the working folder and not simplified: the kernel decides what `..` means after a symbolic link.
    Raises MissingFile if `path` is relative and the working folder was removed.
    """
    try:
        absolute = path if path.is_absolute() else Path.cwd() / path
    except FileNotFoundError as error:
        raise errors.MissingFile(
            reason="the working folder has been removed",
            remedy="change to a folder that exists, or give the whole path",
            path=path,
        ) from error
    return base64.b64encode(os.fsencode(absolute)).decode()


def decode_path(text: str) -> Path:
    """Return the path of `encode_path`."""
    return Path(os.fsdecode(base64.b64decode(text)))


def encode_limits(limits: Limits) -> dict[str, int]:
    """Return limits as JSON can hold them."""
    return {one.name: getattr(limits, one.name) for one in fields(limits)}


def encode_facts(facts: ScanFacts) -> dict[str, Any]:
    """Return facts as JSON can hold them."""
    return asdict(facts)


def decode_facts(value: object) -> ScanFacts:
    """Return the facts of `encode_facts`. Raises ProtocolError unless each has the right type."""
    types = get_type_hints(ScanFacts)
    if not isinstance(value, dict) or set(value) != set(types):
        raise ProtocolError("malformed facts")
    values: dict[str, Any] = {
        name: tuple(one) if isinstance(one, list) else one for name, one in value.items()
    }
    if not all(_is_valid_fact(name, one, types[name]) for name, one in values.items()):
        raise ProtocolError("facts of wrong types")
    if min(values["width"], values["height"], values["bands"]) < 1:
        raise ProtocolError("facts without pixels")
    return ScanFacts(**values)


def _is_valid_fact(name: str, value: object, expected: type) -> bool:
    if name == "dpi":
        if not isinstance(value, tuple):
            return value is None
        return len(value) == 2 and all(isinstance(one, int | float) for one in value)
    if name == "notes":
        return _are_texts(value)
    return isinstance(value, expected) and isinstance(value, bool) == (expected is bool)


def decode_notes(value: object) -> tuple[str, ...]:
    """Return the notes about a file. Raises ProtocolError unless they are a list of texts."""
    if not isinstance(value, list) or not _are_texts(tuple(value)):
        raise ProtocolError("malformed notes")
    return tuple(value)


def _are_texts(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(one, str) for one in value)


def encode_error(error: errors.RestorationError) -> dict[str, str]:
    """Return an error, without its path, as JSON can hold it."""
    return {"kind": type(error).__name__, "reason": error.reason, "remedy": error.remedy}


def decode_error(value: object, path: Path) -> errors.RestorationError:
    """Return the error of `encode_error`. Raises ProtocolError unless it is one of `ERRORS`."""
    if not isinstance(value, dict) or set(value) != {"kind", "reason", "remedy"}:
        raise ProtocolError("a malformed error")
    kind, reason, remedy = value["kind"], value["reason"], value["remedy"]
    if kind not in ERRORS or not isinstance(reason, str) or not isinstance(remedy, str):
        raise ProtocolError("an unknown error")
    return ERRORS[kind](reason=reason, remedy=remedy, path=path)
