import datetime as dt
from dataclasses import replace

from db.queue.reaping import Heartbeat
from worker.queue.lease_monitor import LeaseMonitor

AT = dt.datetime(1950, 6, 1, tzinfo=dt.UTC)
SIGN = Heartbeat(job_id=7, token=1, heartbeat_at=AT, lease=dt.timedelta(seconds=30))


def test_a_lease_expires_without_a_new_heartbeat() -> None:
    monitor = LeaseMonitor()
    assert monitor.expired([SIGN], now=1000) == []
    assert monitor.expired([SIGN], now=1029) == []
    assert monitor.expired([SIGN], now=1030) == [SIGN]


def test_a_heartbeat_with_any_other_time_is_a_new_one() -> None:
    monitor = LeaseMonitor()
    monitor.expired([SIGN], now=1000)
    for number, jump in enumerate((dt.timedelta(hours=1), dt.timedelta(hours=-1)), start=1):
        jumped = replace(SIGN, heartbeat_at=AT + jump)
        assert monitor.expired([jumped], now=1000 + 29 * number) == []


def test_the_next_holder_of_a_job_has_a_lease_of_its_own() -> None:
    monitor = LeaseMonitor()
    monitor.expired([SIGN], now=1000)
    assert monitor.expired([replace(SIGN, token=2)], now=1031) == []


def test_a_reset_gives_every_worker_a_whole_lease() -> None:
    monitor = LeaseMonitor()
    monitor.expired([SIGN], now=1000)
    monitor.reset()
    assert monitor.expired([SIGN], now=1040) == []
    assert monitor.expired([SIGN], now=1070) == [SIGN]
