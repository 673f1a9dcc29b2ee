"""Intake, workers, the reconciler and commands on the same few scans at once."""

import datetime as dt
import multiprocessing
import random

from sqlalchemy import select

from db.catalog.selection import Selection
from db.core.schema import Derivative, Event, Job, Scan
from db.errors import LeaseLost
from db.queue import jobs
from db.queue.commands import cancel, reprocess, retry
from db.queue.intake import register
from db.queue.publishing import unpublished
from db.queue.reaping import reap_expired
from db.vocabulary import EventType, JobState, Lane

STEPS = 60
NAMES = [f"{n}.tif" for n in range(6)]


def take_part(archive, recipes, seed, take_away):
    """Do STEPS random things; a lost lease is the only error that may occur."""
    pick = random.Random(seed)
    leases = []

    def drop(s):
        content = archive.content(pick.choice(NAMES))
        register(s, archive.seen(pick.choice(NAMES), mtime_ns=pick.randrange(9)), content, recipes[0])

    def claim(s):
        due = (job_id for lane in Lane for job_id in unpublished(s, lane, 20, dt.timedelta(0)))
        for job_id in due:
            lease = jobs.claim(s, job_id, f"worker-{seed}", dt.timedelta(seconds=0.1))
            if lease is not None:
                leases.append(lease)
                return

    def end(s):
        if not leases:
            return
        lease = leases.pop(pick.randrange(len(leases)))
        match pick.randrange(4):
            case 0:
                jobs.finish(s, lease, archive.derivative(f"{lease.job_id}.tif"))
            case 1:
                jobs.fail(s, lease, archive.problem("missing-file"), quarantine=True)
            case 2:
                jobs.fail_attempt(s, lease, archive.problem("crash"))
            case _:
                jobs.requeue(s, lease, "drain")

    def order(s):
        match pick.randrange(3):
            case 0:
                cancel(s, Selection(all=True), "kim")
            case 1:
                retry(s, Selection(all=True), "kim")
            case _:
                reprocess(s, s.scalars(select(Scan.id)).all(), recipes[1], "kim")

    def reconcile(s):
        reap_expired(s)
        take_away(s, pick.choice(NAMES).encode())

    for _ in range(STEPS):
        step = pick.choice([drop, drop, claim, claim, end, end, order, reconcile])
        try:
            archive.database.run(step)
        except LeaseLost:
            continue


def test_the_record_stays_consistent_under_concurrency(archive, take_away):
    recipes = [archive.recipe(1.0), archive.recipe(0.5)]
    context = multiprocessing.get_context("fork")
    hands = [context.Process(target=take_part, args=(archive, recipes, seed, take_away)) for seed in range(4)]
    for hand in hands:
        hand.start()
    for hand in hands:
        hand.join()
    assert [hand.exitcode for hand in hands] == [0, 0, 0, 0]

    with archive.database.read() as s:
        life: dict[int, list[tuple[str | None, str]]] = {}
        changes = select(Event.job_id, Event.detail).where(Event.type == EventType.JOB_STATE_CHANGE)
        for job_id, detail in s.execute(changes.order_by(Event.id)):
            life.setdefault(job_id, []).append((detail["from"], detail["to"]))
        states = dict(s.execute(select(Job.id, Job.state)).all())
        made = sorted(s.scalars(select(Derivative.job_id)))
        restored = set(s.scalars(select(Derivative.scan_id)))
        quarantined = set(s.scalars(select(Scan.id).where(Scan.problem_code.is_not(None))))
    assert states.keys() == life.keys()
    for job_id, steps in life.items():
        assert [before for before, _ in steps] == [None, *(after for _, after in steps[:-1])]
        assert steps[-1][1] == states[job_id]
    assert made == sorted(job_id for job_id, state in states.items() if state is JobState.DONE)
    assert restored.isdisjoint(quarantined)
