import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from worker import __version__
from worker.cli.entry import app
from worker.exits import Exit

SAEK = [sys.executable, "-m", "worker"]


def run(*words: str, **more: str) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | more
    return subprocess.run([*SAEK, *words], env=environment, capture_output=True, text=True, check=False)


def test_help_loads_neither_torch_nor_the_database_nor_the_queue():
    code = "import sys, worker.cli; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"torch", "sqlalchemy", "celery", "redis", "pyvips", "numpy", "PIL"} & set(loaded)


def test_version_is_told():
    told = run("--version")
    assert told.stdout == f"saek {__version__}\n"
    assert told.returncode == Exit.OK


def test_a_wrong_setting_gives_one_line_with_the_right_name(tmp_path):
    refused = run("status", SAEK_HOME=str(tmp_path), SAEK_OUTBOKS="x")
    assert refused.returncode == Exit.SETTINGS
    assert refused.stderr.count("\n") == 1
    assert "SAEK_OUTBOX" in refused.stderr
    assert refused.stdout == ""


def test_help_works_with_a_wrong_setting():
    assert run("status", "--help", SAEK_OUTBOKS="x").returncode == Exit.OK


def test_an_unknown_command_ends_with_the_code_for_usage():
    assert run("statsu").returncode == Exit.USAGE


def test_home_is_passed_on_to_children(tmp_path, monkeypatch):
    monkeypatch.setenv("SAEK_HOME", "/nowhere")
    told = CliRunner().invoke(app, ["--home", str(tmp_path), "settings", "--json"])
    assert json.loads(told.stdout)["settings"][0]["value"] == str(tmp_path)
    assert os.environ["SAEK_HOME"] == str(tmp_path)


def _all_commands(command: Any = None, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    command = command or typer.main.get_command(app)
    yield words, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from _all_commands(inner, (*words, name))


@pytest.mark.parametrize("words", [words for words, _ in _all_commands() if words], ids=" ".join)
def test_home_is_taken_after_every_command_too(words, tmp_path, monkeypatch):
    monkeypatch.setenv("SAEK_HOME", "/nowhere")
    told = CliRunner().invoke(app, [*words, "--home", str(tmp_path), "--help"], prog_name="saek")
    assert told.exit_code == Exit.OK, told.output
    context = typer.main.get_command(app).make_context("saek", ["--home", "/first", *words])
    assert os.environ["SAEK_HOME"] == "/first", "what is said before the command"
    command = context.command
    for word in words:
        command = command.commands[word]
    options = {option for parameter in command.params for option in parameter.opts}
    assert "--home" in options


def test_of_two_homes_the_last_one_holds(tmp_path, monkeypatch):
    monkeypatch.setenv("SAEK_HOME", "/nowhere")
    for words in (["settings", "--json", "--home"], ["--home", "/first", "settings", "--json", "--home"]):
        told = CliRunner().invoke(app, [*words, str(tmp_path)])
        assert json.loads(told.stdout)["settings"][0]["value"] == str(tmp_path)


@pytest.mark.parametrize("words", [words for words, _ in _all_commands()], ids=" ".join)
def test_help_shows_flags_bare_and_values_by_short_words(words):
    shown = CliRunner().invoke(app, [*words, "--help"], prog_name="saek", env={"COLUMNS": "160"})
    assert shown.exit_code == Exit.OK
    assert not re.search(r"<\w|\bbool|BOOLEAN|INTEGER|list\[|int range", shown.stdout)
    if words and "--json" in shown.stdout:
        assert re.search(r"--json +Write one JSON document", shown.stdout)


def test_help_shows_what_an_option_takes():
    shown = CliRunner().invoke(app, ["status", "--help"], env={"COLUMNS": "160"}).stdout
    assert re.search(r"--limit +N \[x>=1\] +Maximum number", shown)
    assert re.search(r"--collection +FOLDER +", shown)
    assert re.search(
        r"--state +STATE +Files in this state, or with a job in it: done, running, queued", shown
    )


def test_a_closed_pipe_is_not_an_error(record, settings):
    for number in range(20):  # more output than a buffer holds
        record.file(f"{number}.tif")
    reader, writer = os.pipe()
    os.close(reader)
    words = [*SAEK, "status", "--collection", "", "--json"]
    ended = subprocess.run(words, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert ended.stderr == ""
    assert ended.returncode == Exit.OK


def test_ctrl_c_ends_watching_without_a_traceback(record, settings):
    record.file("a.tif")
    watching = subprocess.Popen(
        [*SAEK, "status", "--watch"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    _await(lambda: _has_open(watching.pid, settings.home / "saek.db"))
    watching.send_signal(signal.SIGINT)
    _, said = watching.communicate(timeout=20)
    assert watching.returncode == Exit.INTERRUPTED
    assert "Traceback" not in said


@pytest.mark.parametrize("part", ["ingest", "dispatch"])
def test_a_part_exits_by_a_signal_in_peace(part, settings, database, tmp_path):
    log = tmp_path / "log"
    with log.open("wb") as sink:
        running = subprocess.Popen([*SAEK, part], stderr=sink, stdout=sink)
    _await(lambda: _catches(running.pid, signal.SIGTERM))
    running.send_signal(signal.SIGTERM)
    assert running.wait(20) == Exit.OK, log.read_text()


def _catches(pid: int, number: signal.Signals) -> bool:
    """Whether a process has a handler of its own for this signal (proc(5): SigCgt)."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = int(next(line for line in status.splitlines() if line.startswith("SigCgt")).split()[1], 16)
    return bool(caught >> (number - 1) & 1)


def _has_open(pid: int, file: Path) -> bool:
    """Whether a process has this file open."""
    for opened in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            if opened.readlink() == file:
                return True
    return False


def _await(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_shell_completion_works():
    completed = run("", _SAEK_COMPLETE="complete_bash", COMP_WORDS="saek res", COMP_CWORD="1")
    assert set(completed.stdout.split()) >= {"restore", "resume"}
