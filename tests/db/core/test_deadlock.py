"""Transactions are repeated after a deadlock."""

import contextlib
import threading

from sqlalchemy import select, update

from db.core.schema import Scan


def test_a_transaction_is_repeated_after_a_deadlock(archive):
    archive.drop("a.tif", "a")
    archive.drop("b.tif", "b")
    with archive.database.read() as s:
        (first, before), (second, _) = s.execute(select(Scan.id, Scan.bytes).order_by(Scan.id))
    both_hold_one, one_is_done = threading.Barrier(2), threading.Event()
    deadlocks = archive.database.dialect == "postgresql"
    runs: list[str] = []

    def grow(name, *scan_ids):
        def step(s):
            first_time = name not in runs
            runs.append(name)
            if not first_time:  # else it might take the first row again before the other wakes up
                assert one_is_done.wait(timeout=30)
            for scan_id in scan_ids:
                s.execute(update(Scan).where(Scan.id == scan_id).values(bytes=Scan.bytes + 1000))
                if first_time and scan_id == scan_ids[0]:
                    # SQLite lets the second in when the first is done: there nobody comes.
                    with contextlib.suppress(threading.BrokenBarrierError):
                        both_hold_one.wait(timeout=30 if deadlocks else 1)

        return step

    steps = [grow("forth", first, second), grow("back", second, first)]

    def run(step):
        archive.database.run(step)
        one_is_done.set()

    threads = [threading.Thread(target=run, args=(step,)) for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with archive.database.read() as s:
        sizes = list(s.scalars(select(Scan.bytes).order_by(Scan.id)))
    assert sizes == [before + 2000] * 2, "each was done once, and only once"
    assert len(runs) == (3 if deadlocks else 2)
