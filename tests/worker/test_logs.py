import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from hostile_names import NAMES, speaks

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


@pytest.mark.parametrize("log_format", list(LogFormat))
@pytest.mark.parametrize("name", NAMES)
def test_no_name_controls_a_terminal_or_forges_a_line(
    settings: Settings, name: str, log_format: LogFormat
) -> None:
    stream = io.StringIO()
    configure_logs(settings.model_copy(update={"log_format": log_format}), stream)
    log = structlog.get_logger()
    log.warning("quarantined", file=name, seen=[name, {name: name}])
    logging.getLogger("some.library").error("cannot read %s", name)
    assert not speaks(stream.getvalue())
    assert len(stream.getvalue().splitlines()) == 2
    if log_format is LogFormat.JSON:
        ours, theirs = map(json.loads, stream.getvalue().splitlines())
        assert ours["file"] == name
        assert theirs["event"] == f"cannot read {name}"


@pytest.mark.parametrize("log_format", list(LogFormat))
def test_an_error_that_holds_a_name_controls_no_terminal(settings: Settings, log_format: LogFormat) -> None:
    stream = io.StringIO()
    configure_logs(settings.model_copy(update={"log_format": log_format}), stream)
    try:
        raise RuntimeError("cannot read \x1b[31mred\x1b[0m\u202e.tif")
    except RuntimeError as error:
        structlog.get_logger().error("the attempt failed", exc_info=error)
    assert "RuntimeError: cannot read \\" in stream.getvalue()
    assert not speaks(stream.getvalue().replace("\t", ""))
