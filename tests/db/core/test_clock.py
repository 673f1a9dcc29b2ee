"""Leases use one clock, whatever the clocks of the hosts show."""

import datetime as dt

import pytest

from db.core import clock
from db.queue.jobs import claim
from db.queue.reaping import reap_expired
from db.values import utcnow

LEASE = dt.timedelta(seconds=30)


@pytest.fixture
def an_hour_ahead(monkeypatch):
    """A function that sets the clock of this host wrong."""

    def begin():
        monkeypatch.setattr(clock, "utcnow", lambda: utcnow() + dt.timedelta(hours=1))

    return begin


def test_a_host_whose_clock_is_ahead_takes_no_job_from_another(archive, an_hour_ahead):
    job_id = archive.drop().job_id
    with archive.database.begin() as s:
        assert claim(s, job_id, "right:1", LEASE) is not None
    an_hour_ahead()

    with archive.database.begin() as s:
        taken = reap_expired(s)

    # A file has one host and no other clock: a jump forward costs the jobs at work an attempt there.
    assert len(taken) == (s.get_bind().dialect.name == "sqlite")


def test_the_clock_of_the_record_is_aware_and_near(archive):
    with archive.database.read() as s:
        now = clock.current_time(s)

    assert now.tzinfo is not None
    assert abs(now - utcnow()) < dt.timedelta(seconds=5)
