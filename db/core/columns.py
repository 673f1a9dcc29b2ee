"""Column types that return the same values on SQLite and PostgreSQL."""

import datetime as dt
import math
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Double, Enum, Integer, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from db.values import kept_ns

Id = BigInteger().with_variant(Integer(), "sqlite")  # SQLite autoincrements INTEGER primary keys only


class UtcDateTime(TypeDecorator[dt.datetime]):
    """An aware time, returned in UTC. Naive times are refused: their time zone is unknown."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:
        """Convert to UTC. SQLite stores text without an offset, which sorts in the order of time."""
        if value is None:
            return None
        if value.tzinfo is None:
            msg = f"{value!r} has no time zone; use datetime.now(UTC)"
            raise ValueError(msg)
        value = value.astimezone(dt.UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:
        """Return the stored time, aware, in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=dt.UTC) if dialect.name == "sqlite" else value.astimezone(dt.UTC)


class StorableText(TypeDecorator[str]):
    """Text from outside (names, error messages, EXIF) in a form that both databases store.

    PostgreSQL refuses NUL. Both refuse lone surrogates, which Python uses for bytes that are not UTF-8.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Return the text with characters that cannot be stored escaped."""
        return None if value is None else _storable_text(value)


class JsonObject(TypeDecorator[dict[str, Any]]):
    """A JSON object: text as in `StorableText`, NaN and infinities as null, bytes as hexadecimal text.

    Any other value that JSON lacks is stored as its `str`.
    """

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """Use binary JSON where the database has it."""
        return dialect.type_descriptor(JSONB() if dialect.name == "postgresql" else JSON())

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002
        """Return the object with values that cannot be stored replaced."""
        return _storable(value)


class Inode(TypeDecorator[int]):
    """An unsigned 64-bit inode number in a signed column: network file systems use its top bit."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Map the upper half of the range to negative numbers."""
        return value - 2**64 if value is not None and value >= 2**63 else value

    def process_result_value(self, value: int | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Map negative numbers back to the upper half."""
        return value + 2**64 if value is not None and value < 0 else value


class FileTime(TypeDecorator[int]):
    """A file time in ns, clamped by `kept_ns`: file systems hold years that 64 bits do not reach."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Clamp the time to the range of the column."""
        return None if value is None else kept_ns(value)


class FiniteFloat(TypeDecorator[float]):
    """A number from the header of a file. NaN and infinities, which mean nothing, become null."""

    impl = Double
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect) -> float | None:  # noqa: ARG002
        """Replace NaN and infinities by null."""
        return value if value is not None and math.isfinite(value) else None


def enum_column(vocabulary: type[StrEnum], name: str, *, closed: bool) -> Enum:
    """Return a text column type for `vocabulary`; a `closed` one is enforced by a CHECK constraint."""
    return Enum(
        vocabulary,
        name=name,
        native_enum=False,
        create_constraint=closed,
        validate_strings=True,
        length=40,
        values_callable=lambda words: [word.value for word in words],
    )


def _storable_text(text: str) -> str:
    return text.replace("\x00", "\N{SYMBOL FOR NULL}").encode("utf-8", "backslashreplace").decode()


def _storable(value: Any) -> Any:
    match value:
        case dict():
            return {_storable_text(str(key)): _storable(item) for key, item in value.items()}
        case list() | tuple():
            return [_storable(item) for item in value]
        case None | int():
            return value
        case float():
            return value if math.isfinite(value) else None
        case bytes():
            return value.hex()
        case _:
            return _storable_text(str(value))
