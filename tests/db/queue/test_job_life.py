"""One job under any sequence of claims, deliveries, worker deaths and commands."""

import datetime as dt

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from db.core.schema import Derivative, Event, Job, Scan
from db.errors import LeaseLost
from db.queue import jobs
from db.queue.commands import cancel, pause, resume, retry
from db.queue.reaping import reap_expired
from db.vocabulary import EventType, JobState

ENDED = {JobState.DONE, JobState.FAILED, JobState.CANCELLED}
LEGAL = {
    (None, JobState.QUEUED),
    (JobState.QUEUED, JobState.RUNNING),
    (JobState.QUEUED, JobState.CANCELLED),
    (JobState.RUNNING, JobState.QUEUED),
    (JobState.RUNNING, JobState.DONE),
    (JobState.RUNNING, JobState.FAILED),
    (JobState.RUNNING, JobState.CANCELLED),
    (JobState.FAILED, JobState.QUEUED),
    (JobState.CANCELLED, JobState.QUEUED),
}


class JobLife(RuleBasedStateMachine):
    """Uses every lease that was ever given at any time; only the current one may change the job."""

    leases = Bundle("leases")

    def __init__(self, archive):
        super().__init__()
        self.archive = archive
        self.holder = None

    @initialize()
    def drop(self):
        number = self.archive.count(Scan)
        self.archive.recipe()
        made = self.archive.drop(f"{number}.tif", f"{number}")
        self.job_id, self.scan_id, self.name = made.job_id, made.scan_id, f"{number}.color.tif"
        self.order(resume, None)

    @rule(minutes=st.integers(0, 5))
    def wait(self, minutes):
        self.archive.wait(minutes=minutes)

    @rule(target=leases)
    def deliver(self):
        before = self.job()
        lease = self.archive.claim(self.job_id)
        if lease is None:
            return multiple()
        assert before.state is JobState.QUEUED
        assert before.not_before is None or before.not_before <= self.archive.now
        assert lease.token == before.lease_token + 1
        self.holder = lease
        return lease

    @rule(lease=leases)
    def beat(self, lease):
        self.act(lease, lambda s, now: jobs.heartbeat(s, lease, "detail", 1, 2, extend=_MINUTE, now=now))

    @rule(lease=leases)
    def finish(self, lease):
        before = self.job()
        repeated = before.state is JobState.DONE and lease.token == before.lease_token
        record = self.archive.derivative(self.name)
        if repeated:
            with self.archive.database.begin() as s:
                jobs.finish(s, lease, record, now=self.archive.now)
            return
        self.act(lease, lambda s, now: jobs.finish(s, lease, record, now=now), ends=True)

    @rule(lease=leases, quarantine=st.booleans())
    def fail(self, lease, quarantine):
        problem = self.archive.problem()
        self.act(
            lease, lambda s, now: jobs.fail(s, lease, problem, quarantine=quarantine, now=now), ends=True
        )

    @rule(lease=leases)
    def fail_attempt(self, lease):
        problem = self.archive.problem("crash")
        self.act(lease, lambda s, now: jobs.fail_attempt(s, lease, problem, now=now), ends=True)

    @rule(lease=leases)
    def retry_later(self, lease):
        problem = self.archive.problem("no-space")
        self.act(lease, lambda s, now: jobs.retry_later(s, lease, problem, now=now), ends=True)

    @rule(lease=leases)
    def yield_back(self, lease):
        self.act(lease, lambda s, now: jobs.requeue(s, lease, "drain", now=now), ends=True)

    @rule(lease=leases)
    def supersede(self, lease):
        self.act(lease, lambda s, now: jobs.supersede(s, lease, "changed", now=now), ends=True)

    @rule(lease=leases)
    def stop(self, lease):
        self.act(lease, lambda s, now: jobs.end_cancelled(s, lease, now=now), ends=True)

    @rule()
    def reap(self):
        with self.archive.database.begin() as s:
            if reap_expired(s, now=self.archive.now):
                self.holder = None

    @rule()
    def cancel(self):
        self.order(cancel, [self.job_id])

    @rule()
    def retry(self):
        self.order(retry, [self.job_id])

    @rule(give=st.sampled_from([pause, resume]))
    def hold(self, give):
        self.order(give, None)

    @rule()
    def drop_again(self):
        self.archive.drop(self.name.replace(".color", ""), self.name.split(".", maxsplit=1)[0])

    @invariant()
    def a_job_is_leased_while_it_runs_and_only_then(self):
        job = self.job()
        assert (job.state is JobState.RUNNING) == (self.holder is not None)
        assert (job.lease_owner is not None) == (job.state is JobState.RUNNING)
        assert (job.finished_at is not None) == (job.state in ENDED)
        assert 0 <= job.attempts <= job.max_attempts

    @invariant()
    def there_is_one_event_for_each_transition_and_none_but_legal_ones(self):
        with self.archive.database.read() as s:
            details = s.scalars(
                select(Event.detail)
                .where(Event.job_id == self.job_id, Event.type == EventType.JOB_STATE_CHANGE)
                .order_by(Event.id)
            ).all()
        steps = [(detail["from"] and JobState(detail["from"]), JobState(detail["to"])) for detail in details]
        assert set(steps) <= LEGAL
        assert [before for before, _ in steps] == [None, *(after for _, after in steps[:-1])]
        assert steps[-1][1] is self.job().state

    @invariant()
    def a_done_job_has_one_derivative_and_others_none(self):
        job = self.job()
        made = self.archive.count(Derivative, Derivative.job_id == self.job_id)
        assert made == (1 if job.state is JobState.DONE else 0)
        if made:
            assert self.archive.count(Scan, Scan.id == self.scan_id, Scan.problem_code.is_not(None)) == 0

    def act(self, lease, what, *, ends=False):
        try:
            with self.archive.database.begin() as s:
                what(s, self.archive.now)
        except LeaseLost:
            assert lease is not self.holder
        else:
            assert lease is self.holder
            if ends:
                self.holder = None

    def order(self, give, what):
        with self.archive.database.begin() as s:
            give(s, what, "kim", now=self.archive.now)

    def job(self) -> Job:
        return self.archive.job(self.job_id)


_MINUTE = dt.timedelta(minutes=1)


def test_no_sequence_of_steps_breaks_a_job(archive):
    run_state_machine_as_test(
        lambda: JobLife(archive),
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
