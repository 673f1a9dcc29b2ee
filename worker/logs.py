"""Logging: structured events, as text for a terminal or as JSON for collectors."""

import io
import json
import logging
import os
import sys
from collections.abc import Mapping
from typing import Any, TextIO

import structlog

from worker.printable import printable, printable_json, printable_lines
from worker.settings import LogFormat, Settings

_CHATTY = (
    "alembic",
    "celery.app.trace",
    "celery.worker.strategy",
    "kombu",
    "multiprocessing",
    "watchdog",
)
"""Loggers of libraries whose routine lines add nothing to ours."""

_OF_FILES = ("PIL", "pyvips", "tifffile")
"""Loggers of libraries that complain about files; the metadata report covers that."""

_OF_SEVERAL_LINES = frozenset({"exception", "stack"})


def _printable_event(_: object, __: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    """Escape unprintable characters: no file name forges a line or controls a terminal."""
    return {
        printable(key): printable_lines(value) if key in _OF_SEVERAL_LINES else _printable_value(value)
        for key, value in event.items()
    }


def _printable_value(value: Any) -> Any:
    """Return a value with its strings escaped; other values are shown by repr, which escapes too."""
    match value:
        case str():
            return printable(value.rstrip("\n"))
        case Mapping():
            return {printable(str(key)): _printable_value(item) for key, item in value.items()}
        case list() | tuple():
            return [_printable_value(item) for item in value]
        case _:
            return value


def _printable_traceback(stream: TextIO, exc_info: structlog.typing.ExcInfo) -> None:
    written = io.StringIO()
    structlog.dev.plain_traceback(written, exc_info)
    stream.write(printable_lines(written.getvalue()))


def _printable_json(event: Any, **options: Any) -> str:
    return printable_json(json.dumps(event, ensure_ascii=False, **options))


def configure_logs(settings: Settings, stream: TextIO | None = None) -> None:
    """Log structlog's and the libraries' events to `stream` (standard error by default)."""
    target = stream or sys.stderr
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    renderer: structlog.types.Processor
    if settings.log_format is LogFormat.JSON:
        shared.append(structlog.processors.format_exc_info)
        renderer = structlog.processors.JSONRenderer(_printable_json)
    else:
        renderer = structlog.dev.ConsoleRenderer(
            colors=target.isatty() or "FORCE_COLOR" in os.environ, exception_formatter=_printable_traceback
        )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *([] if settings.log_format is LogFormat.JSON else [_printable_event]),
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in _OF_FILES:
        logging.getLogger(name).setLevel(logging.CRITICAL)
