"""Drop files, do harm, and see that each file ends once and right.

    python tests/faults/chaos.py --on embedded --files 10000 --kills 200 --seed 1 [--json FILE]

On `embedded` the host has SQLite and the broker that a station brings, on `distributed` PostgreSQL and a
broker reached by TCP. The same seed gives the same files and the same order of harm, though not the same
moments.
"""

import argparse
import dataclasses
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import masters
import mischief
from hosts import Distributed, Embedded, Host
from reckoning import reckon

from db.catalog.files import list_files
from db.errors import DatabaseError
from db.vocabulary import FileState

HOSTS = {"embedded": Embedded, "distributed": Distributed}
_UNENDED = {FileState.QUEUED, FileState.RUNNING, FileState.REGISTERED, FileState.GONE}
_MOST_EXECUTIONS = 8


def run(
    on: str, count: int, kills: int, seed: int, folder: Path, pause: float, patience: float
) -> dict[str, Any]:
    """Run it all in `folder`; return what was done and what came of it."""
    chance = random.Random(seed)
    host: Host = HOSTS[on](folder)
    harm = mischief.Mischief(host, chance, long=count >= 2000)
    mounted = mischief.mount_folders(host, size=200_000_000 + count * 40_000)
    began = time.monotonic()
    failed: list[Exception] = []
    try:
        host.open()
        dropper = threading.Thread(target=_drop, args=(host, count, random.Random(seed + 1), failed))
        dropper.start()
        time.sleep(5)
        harm.each_once()
        while harm.kills < kills:
            time.sleep(chance.uniform(0.3, 1.7) * pause)
            harm.next()
        harm.settle()
        dropper.join()
        if failed:
            raise failed[0]
        harmed = time.monotonic() - began
        _await_end(host, count, patience)
        host.drain()
        expected = {masters.name_of(number): masters.expected(number) for number in range(count)}
        with host.database() as database:
            found = reckon(database, host.outbox, expected, _MOST_EXECUTIONS)
    finally:
        host.close()
        if mounted:
            mischief.unmount_folders(host)
    return {
        "on": on,
        "files": count,
        "seed": seed,
        "mounts": mounted,
        "kills": harm.kills,
        "harm": dict(sorted(harm.done.items())),
        "seconds_of_harm": round(harmed, 1),
        "seconds": round(time.monotonic() - began, 1),
        "found": dataclasses.asdict(found),
    }


def _drop(host: Host, count: int, chance: random.Random, failed: list[Exception]) -> None:
    share = host.folder / "share"
    try:
        for start in range(0, count, 50):
            masters.drop(
                range(start, min(count, start + 50)), share if share.exists() else host.inbox, chance
            )
    except OSError as error:
        failed.append(error)


def _await_end(host: Host, count: int, patience: float) -> None:
    """Wait until every file has ended, as long as something goes on."""
    before: Counter[FileState] = Counter()
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            with host.database() as database, database.read() as s:
                states = Counter(row.state for row in list_files(s))
        except DatabaseError:
            continue
        if sum(states.values()) == count and not any(states[state] for state in _UNENDED):
            return
        if states != before:
            before, deadline = states, time.monotonic() + patience
        time.sleep(1)


def table(told: dict[str, Any]) -> str:
    """Return the result for people."""
    found = told["found"]
    rows = [
        ("on", told["on"]),
        ("files dropped", f"{told['files']:,}"),
        ("kill -9", f"{told['kills']:,}"),
        *((name.replace("_", " "), f"{count:,}") for name, count in told["harm"].items()),
        ("seconds of harm, in all", f"{told['seconds_of_harm']:,.0f}, {told['seconds']:,.0f}"),
        *((f"files {state}", f"{count:,}") for state, count in sorted(found["files"].items())),
        ("derivatives", f"{found['derivatives']:,}"),
        ("executions, most of one job", f"{found['executions']:,}, {found['most_executions']}"),
        ("quarantined, killed at every try", f"{found['killed_off']:,}"),
        ("wrong", f"{len(found['wrong']):,}"),
    ]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--on", choices=HOSTS, default="embedded")
    words.add_argument("--files", type=int, default=10_000)
    words.add_argument("--kills", type=int, default=200)
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--pause", type=float, default=2.0, help="mean seconds between two harms")
    words.add_argument("--patience", type=float, default=120.0, help="seconds without progress that end it")
    words.add_argument("--keep", type=Path, help="folder to work in, kept")
    words.add_argument("--json", type=Path, help="file for the result")
    asked = words.parse_args()
    with tempfile.TemporaryDirectory(prefix="saek-chaos-", ignore_cleanup_errors=True) as made:
        folder = asked.keep or Path(made)
        folder.mkdir(exist_ok=True)
        told = run(asked.on, asked.files, asked.kills, asked.seed, folder, asked.pause, asked.patience)
        wrong = told["found"]["wrong"]
        if wrong:
            log = (folder / "log").read_text(errors="replace")[-8000:]
            print(log, file=sys.stderr)
    if asked.json:
        asked.json.write_text(json.dumps(told, indent=2, default=str))
    print(table(told))
    for line in wrong[:40]:
        print("  " + line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
