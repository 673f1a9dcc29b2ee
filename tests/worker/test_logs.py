import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from worker.logs import configure_logs
from worker.settings import LogFormat, Settings


@pytest.fixture(autouse=True)
def _loggers_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_json_lines_hold_names_in_their_own_script_and_utc_times(settings: Settings) -> None:
    stream = io.StringIO()
    configure_logs(settings.model_copy(update={"log_format": LogFormat.JSON}), stream)
    structlog.get_logger().warning("quarantined", file="마을/학교.tif", code="empty-file")
    logging.getLogger("some.library").error("it %s", "broke")
    ours, theirs = map(json.loads, stream.getvalue().splitlines())
    assert (ours["event"], ours["level"], ours["file"]) == ("quarantined", "warning", "마을/학교.tif")
    assert ours["timestamp"].endswith("Z")
    assert "학교" in stream.getvalue()
    assert (theirs["event"], theirs["level"]) == ("it broke", "error")


def test_what_is_below_the_level_is_not_logged(settings: Settings) -> None:
    stream = io.StringIO()
    configure_logs(settings.model_copy(update={"log_level": "WARNING"}), stream)
    structlog.get_logger().info("queued")
    structlog.get_logger().warning("waiting")
    assert "queued" not in stream.getvalue()
    assert "waiting" in stream.getvalue()


def test_a_traceback_is_part_of_its_line(settings: Settings) -> None:
    stream = io.StringIO()
    configure_logs(settings.model_copy(update={"log_format": LogFormat.JSON}), stream)
    try:
        raise RuntimeError("surprise")
    except RuntimeError as error:
        structlog.get_logger().error("the attempt failed", exc_info=error)
    (line,) = stream.getvalue().splitlines()
    assert "RuntimeError: surprise" in json.loads(line)["exception"]
