import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from db.catalog.files import FileRow, list_files
from db.core.engine import Database, open_database
from db.errors import DatabaseError
from worker.outbox.sidecars import read_sidecar_file, sidecar_path
from worker.settings import Settings, load_settings
from worker.storage.mounts import OUTBOX_MARK

SETTINGS = """
settle_seconds = 0.5
rescan_seconds = 5
lease_seconds = 3
dispatch_seconds = 0.2
drain_seconds = 2
min_free_bytes = 1_000_000
threads = 1
"""


class Station:
    """A station of its own home, as a user runs it."""

    def __init__(self, home: Path, log: Path, extra: str = "") -> None:
        home.mkdir()
        self.configuration = SETTINGS + extra
        (home / "saek.toml").write_text(self.configuration)
        self.settings: Settings = load_settings(home=home)
        self.settings.inbox_path.mkdir(exist_ok=True)
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def inbox(self) -> Path:
        return self.settings.inbox_path

    def saek(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run one command of the user's in this home."""
        command = [sys.executable, "-m", "worker", *words]
        return subprocess.run(command, env=self._environment(), capture_output=True, text=True, check=False)

    def start(self, *options: str) -> None:
        with self.log.open("ab") as sink:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "worker", "station", *options],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
            )

    def stop(self) -> int:
        """Ask the station to drain, and wait for it."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.wait(60)

    def wait(self, seconds: float) -> int:
        assert self.process is not None
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            pytest.fail(f"the station did not end within {seconds} s\n{self.tail()}")

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            children = [pid for pid, parent, _ in processes() if parent == self.process.pid]
            self.process.kill()
            self.process.wait()
            for pid in children:
                await_gone(pid)

    def parts(self) -> dict[str, int]:
        """The process ids of the parts that run, by name."""
        assert self.process is not None
        mine = self.process.pid
        return {command[-1]: pid for pid, parent, command in processes() if parent == mine and command}

    def rows(self) -> dict[str, FileRow]:
        """Every file on record by its display path; empty before there is a record."""
        with contextlib.suppress(DatabaseError), self.database() as database, database.read() as s:
            return {row.display: row for row in list_files(s)}
        return {}

    @contextlib.contextmanager
    def database(self) -> Iterator[Database]:
        database = open_database(self.settings.database_address())
        try:
            yield database
        finally:
            database.dispose()

    def made(self) -> set[Path]:
        """The derivatives in the outbox, each with its sidecar; nothing else lies there but the mark."""
        outbox = self.settings.outbox_path
        lying = {path for path in outbox.rglob("*") if path.is_file()}
        made = {path for path in lying if path.suffix not in {".json", ""}}
        assert lying == {*made, *map(sidecar_path, made), outbox / OUTBOX_MARK}
        for path in made:
            read_sidecar_file(sidecar_path(path))
        return made

    def output(self, row: FileRow) -> Path:
        assert row.derivative_path is not None
        return self.settings.outbox_path / os.fsdecode(row.derivative_path)

    def await_that(self, condition: Callable[[], object], what: str, seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process is None or self.process.poll() is None, f"the station ended\n{self.tail()}"
            if time.monotonic() > deadline:
                pytest.fail(f"{what} did not come true in {seconds} s\n{self.tail()}")
            time.sleep(0.1)

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-6000:]

    def _environment(self) -> dict[str, str]:
        return os.environ | {"SAEK_HOME": str(self.settings.home)}


def processes() -> list[tuple[int, int, list[str]]]:
    """(process id, parent's id, command line) of all processes of this machine."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
                found.append((int(entry.name), parent, words))
    return found


def await_gone(pid: int, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline, f"process {pid} does not end"
        time.sleep(0.05)


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    station = Station(tmp_path / "home", tmp_path / "station.log")
    yield station
    station.kill()
