"""How values are stored so that SQLite and PostgreSQL give back the same ones."""

import datetime as dt
import math
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Double, Enum, Integer, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from db.values import kept_ns

Id = BigInteger().with_variant(Integer(), "sqlite")  # SQLite counts up INTEGER primary keys only


class UtcDateTime(TypeDecorator[dt.datetime]):
    """An aware time, given back in UTC. A naive one is refused: nobody knows which time it means."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:
        """Turn the value into UTC; SQLite keeps it as text without an offset, which sorts as time does."""
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
    """Text from outside (names, error messages, EXIF), made storable.

    PostgreSQL refuses NUL, and both refuse the lone surrogates that Python puts for bytes that are no UTF-8.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Return the text with what cannot be stored made visible."""
        return None if value is None else _storable_text(value)


class JsonObject(TypeDecorator[dict[str, Any]]):
    """A JSON object: text as in `StorableText`, NaN and infinities as null, bytes as hexadecimal text.

    Any other value that JSON lacks is stored as its `str`.
    """

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """Use binary JSON where there is such a thing."""
        return dialect.type_descriptor(JSONB() if dialect.name == "postgresql" else JSON())

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002
        """Return the object with what cannot be stored replaced."""
        return _storable(value)


class Inode(TypeDecorator[int]):
    """An unsigned 64-bit number in a signed column: network file systems use the top bit of inode numbers."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Fold the upper half of the range to negative numbers."""
        return value - 2**64 if value is not None and value >= 2**63 else value

    def process_result_value(self, value: int | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Unfold it."""
        return value + 2**64 if value is not None and value < 0 else value


class FileTime(TypeDecorator[int]):
    """The time of a file in ns. File systems keep years that 64 bits do not reach: see `kept_ns`."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Move what lies beyond the range to the end of it."""
        return None if value is None else kept_ns(value)


class FiniteFloat(TypeDecorator[float]):
    """A measure that a file tells of itself. NaN and infinities, which mean nothing, become null."""

    impl = Double
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect) -> float | None:  # noqa: ARG002
        """Leave out what is no number."""
        return value if value is not None and math.isfinite(value) else None


def enum_column(vocabulary: type[StrEnum], name: str, *, closed: bool) -> Enum:
    """Return a text column type for `vocabulary`; a `closed` one is also held by a CHECK constraint."""
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
