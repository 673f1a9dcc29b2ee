"""A message can only name a job, whoever wrote it: a real worker with a real broker."""

import base64
import contextlib
import itertools
import json
import os
import pickle
import subprocess
import sys
import threading
import time
import uuid
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis
import tifffile
from kombu import Connection, Exchange, Queue
from sqlalchemy import select

from db.catalog.files import list_files
from db.core.engine import Database, open_database
from db.core.schema import Job
from db.migrations.runner import upgrade
from db.queue.commands import cancel
from db.vocabulary import JobState
from restoration import Limits
from worker.errors import BrokerUnavailable
from worker.inbox.intake import register_file
from worker.models.library import library_from
from worker.queue.broker import broker_client, ping, serve_broker
from worker.queue.messages import TASK, message_id
from worker.recipe_registration import record_recipe
from worker.recipes import recipe_from
from worker.settings import Settings, load_settings
from worker.storage.home import prepare_home

REFUSED = "a message was refused"
NOTHING: dict[str, Any] = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


class Marked:
    """Unpickling it leaves a file: what an attacker's pickle would do."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


def order(job: int, task: str = TASK) -> dict[str, Any]:
    """A signature, as callbacks and chains hold them."""
    return {"task": task, "args": [job], "kwargs": {}, "options": {"queue": "bulk"}, "immutable": True}


def forge(
    args: object = (1,),
    kwargs: object = None,
    embed: object = None,
    *,
    raw_body: bytes | None = None,
    outside: dict[str, Any] | None = None,
    properties: dict[str, Any] | None = None,
    **headers: object,
) -> str:
    """A message like the relay's, but for what is said otherwise."""
    identity = str(headers.get("id") or message_id(1))
    known = {"lang": "py", "task": TASK, "id": identity, "root_id": identity, "timelimit": [None, None]}
    body = json.dumps([args, kwargs or {}, embed or NOTHING]).encode() if raw_body is None else raw_body
    content = {
        "body": base64.b64encode(body).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {**known, **headers},
        "properties": {
            "correlation_id": identity,
            "delivery_info": {"exchange": "", "routing_key": "interactive"},
            "body_encoding": "base64",
            "delivery_tag": str(uuid.uuid4()),
            **(properties or {}),
        },
    }
    return json.dumps(content | (outside or {}))


FORGED: dict[str, str | bytes] = {
    # no envelope
    "a word": "garbage",
    "nothing": "",
    "an empty object": "{}",
    "a list": "[]",
    "a number": "5",
    "bytes": b"\xff\xfe\x00",
    "null": "null",
    "deep brackets": "[" * 8000,
    "no properties": json.dumps({"body": "", "headers": {"task": TASK, "id": "x"}}),
    "headers that are a word": forge(outside={"headers": "abc"}),
    "an encoding of the body that is none": forge(properties={"body_encoding": "bogus"}),
    "a charset that is a number": forge(outside={"content-encoding": 5}),
    "a message of Celery 3": forge(
        raw_body=json.dumps({"task": TASK, "id": "a", "args": [1], "kwargs": {}}).encode(),
        outside={"headers": {}},
    ),
    "700 kB": forge(["x" * 500_000]),
    # another task
    "an unknown task": forge(task="os.system"),
    "a task that is a list": forge(task=["a"]),
    "a task of Celery's own": forge([order(1), [[1], [2]]], task="celery.map"),
    "a task that waits": forge(["g", order(1)], task="celery.chord_unlock"),
    # other arguments
    "a named argument": forge(kwargs={"force": True}),
    "two arguments": forge([1, 2]),
    "no argument": forge([]),
    "a word for a number": forge(["1; DROP TABLE job"]),
    "a broken number": forge([1.5]),
    "a truth for a number": forge([True]),
    "a negative number": forge([-1]),
    "a huge number": forge([10**30]),
    "a list for a number": forge([[[1]]]),
    "another number than the id's": forge([2]),
    # orders to Celery
    "a task to follow": forge([1], embed={**NOTHING, "callbacks": [order(2)]}),
    "a chain": forge([1], embed={**NOTHING, "chain": [order(2)]}),
    "a task on failure": forge([1], embed={**NOTHING, "errbacks": [order(2)]}),
    "a chord": forge([1], embed={**NOTHING, "chord": order(2)}),
    "a time in the future": forge([1], eta="2099-01-01T00:00:00+00:00"),
    "a time that is none": forge([1], eta="x"),
    "an expiry": forge([1], expires="2000-01-01T00:00:00+00:00"),
    "a time limit that kills": forge([1], timelimit=[0.001, 0.001]),
    "no time limit": forge([1], timelimit=[10**9, 10**9]),
    "a time limit that is a word": forge([1], timelimit="xx"),
    "retries": forge([1], retries=10**9),
    "an id that is a list": forge([1], id=[1]),
    "stamps": forge([1], stamped_headers=5, stamps=7),
    "a bomb": forge(raw_body=zlib.compress(bytes(5_000_000)), compression="application/x-gzip"),
    "a pickle": forge(
        raw_body=pickle.dumps(Marked(Path("unpickled"))),
        outside={"content-type": "application/x-python-serialize", "content-encoding": "binary"},
    ),
    "a pickle that claims to be JSON": forge(raw_body=pickle.dumps(Marked(Path("unpickled")))),
    "YAML": forge(outside={"content-type": "application/x-yaml"}),
}


class Bench:
    """A worker of a station's home, its broker and its record."""

    def __init__(self, settings: Settings, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.settings = settings
        self.process = process
        self.client = broker_client(settings)
        self.database: Database = open_database(settings.database_address())
        self._log = log
        self._probes = itertools.count(10**9)

    def send(self, message: str | bytes, lane: str = "interactive") -> None:
        self.client.lpush(lane, message)

    def said_meanwhile(self, act: Callable[[], object]) -> str:
        """Return what the worker logs until a message that follows on `act` is through."""
        before = len(self._said())
        act()
        number = next(self._probes)
        self.send(forge([number], id=message_id(number)), lane="bulk")
        self.wait_for(lambda: f"job={number}" in self._said()[before:])
        return self._said()[before:]

    def wait_for(self, condition: Callable[[], object], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, self._said()[-4000:]
            assert time.monotonic() < deadline, self._said()[-4000:]
            time.sleep(0.02)

    def queue(self, name: str, seed: int) -> int:
        """Drop a scan, enter it into the record, and return its job."""
        picture = np.random.default_rng(seed).integers(60, 200, (40, 60), np.uint8)
        tifffile.imwrite(self.settings.inbox_path / name, picture)
        with self.database.begin() as s:
            recipe = record_recipe(s, recipe_from(self.settings), library_from(self.settings))
        register_file(self.database, self.settings.inbox_path, name.encode(), recipe, Limits())
        with self.database.read() as s:
            (row,) = (row for row in list_files(s) if row.display == name)
        assert row.job_id is not None
        return row.job_id

    def job(self, number: int) -> Job:
        with self.database.read() as s:
            return s.scalars(select(Job).where(Job.id == number)).one()

    def idle(self) -> bool:
        """Whether no message waits and none is under work."""
        return not self.client.hlen("unacked") and not sum(ping(self.settings).depth.values())

    def _said(self) -> str:
        return self._log.read_text(errors="replace")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("forged")
    settings = load_settings(home=folder / "home", min_free_bytes=0)
    prepare_home(settings)
    upgrade(settings.database_address())
    stop = threading.Event()
    broker = threading.Thread(target=serve_broker, args=(settings, stop), daemon=True)
    broker.start()
    _await_broker(settings)
    with (folder / "log").open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "worker", "worker"],
            env=os.environ
            | {"SAEK_HOME": str(settings.home), "SAEK_MIN_FREE_BYTES": "0", "SAEK_LOG_LEVEL": "INFO"},
            stdout=sink,
            stderr=sink,
        )
    bench = Bench(settings, process, folder / "log")
    try:
        yield bench
    finally:
        bench.client.close()
        bench.database.dispose()
        process.terminate()
        process.wait(60)
        stop.set()
        broker.join(20)


def _await_broker(settings: Settings) -> None:
    deadline = time.monotonic() + 20
    while True:
        with contextlib.suppress(BrokerUnavailable):
            ping(settings)
            return
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("message", FORGED.values(), ids=FORGED)
def test_a_forged_message_does_nothing_but_log(bench: Bench, message: str | bytes) -> None:
    said = bench.said_meanwhile(lambda: bench.send(message))
    assert said.count(REFUSED) == 1, said
    assert len(said) < 2000
    assert "Traceback" not in said
    assert bench.process.poll() is None
    bench.wait_for(bench.idle)
    assert not (Path.cwd() / "unpickled").exists()


def test_a_pickle_of_a_real_producer_is_refused(bench: Bench, tmp_path: Path) -> None:
    job, mark = bench.queue("next.tif", 1), tmp_path / "unpickled"
    with Connection(bench.settings.broker_address()) as connection:
        producer = connection.Producer(serializer="pickle")
        said = bench.said_meanwhile(
            lambda: producer.publish(
                ([Marked(mark)], {}, NOTHING),
                exchange=Exchange(""),
                routing_key="interactive",
                declare=[Queue("interactive")],
                headers={"task": TASK, "id": message_id(1), "lang": "py"},
            )
        )
    assert said.count(REFUSED) == 1
    assert not mark.exists()
    bench.send(forge([job], id=message_id(job)))
    bench.wait_for(lambda: bench.job(job).state is JobState.DONE)


def test_a_message_sent_again_and_again_does_its_job_once(bench: Bench) -> None:
    job = bench.queue("again.tif", 2)
    message = forge([job], id=message_id(job))

    def replay() -> None:
        for _ in range(100):
            bench.send(message)

    said = bench.said_meanwhile(replay)
    bench.wait_for(bench.idle)
    ended = bench.job(job)
    assert (ended.state, ended.attempts) == (JobState.DONE, 1)
    assert said.count("nothing to claim") == 99 + 1  # and the message that ends the waiting


def test_a_cancelled_job_stays_so_whatever_messages_say(bench: Bench) -> None:
    job = bench.queue("cancelled.tif", 3)
    with bench.database.begin() as s:
        cancel(s, [job], by="an archivist")
    bench.said_meanwhile(lambda: bench.send(forge([job], id=message_id(job))))
    ended = bench.job(job)
    assert (ended.state, ended.attempts) == (JobState.CANCELLED, 0)


@pytest.mark.parametrize(
    "command",
    ["shutdown", "pool_grow", "pool_shrink", "rate_limit", "revoke", "terminate", "time_limit", "autoscale"],
)
def test_nobody_controls_a_worker_from_afar(bench: Bench, command: str) -> None:
    """Celery's remote control is off: nobody listens, on either of its two ways."""
    order = {
        "method": command,
        "arguments": {"task_name": TASK, "rate_limit": "1/h", "task_id": "x", "n": 1, "max": 64},
        "destination": None,
    }
    envelope = forge(raw_body=json.dumps(order).encode(), outside={"headers": {}})

    def broadcast() -> None:
        heard = bench.client.publish("/0.celery.pidbox", envelope)
        assert heard == 0
        for key in bench.client.keys("*pidbox*"):
            bench.client.lpush(key, envelope)

    bench.said_meanwhile(broadcast)
    assert bench.process.poll() is None
    assert bench.client.keys("*pidbox*") == []


@pytest.mark.parametrize(
    "entry", [b"garbage", b"[]", b"[1,2]", b"null", b'[{"headers":5},"",""]', b'["x","bulk","bulk"]']
)
def test_what_is_forged_as_a_message_under_work_is_dropped(bench: Bench, entry: bytes) -> None:
    """Celery puts back what was under work for too long; it must be able to read it."""
    bench.client.hset("unacked", "forged", entry)
    bench.client.zadd("unacked_index", {"forged": 1.0})
    # restoring goes on by itself every 10 s; here it is asked for at once, by the same transport
    from worker.queue.celery_app import create_app  # noqa: PLC0415

    with create_app(bench.settings).connection_for_read() as connection:
        connection.default_channel.qos.restore_visible(interval=1)
    assert bench.client.hlen("unacked") == 0
    assert bench.client.zcard("unacked_index") == 0
    said = bench.said_meanwhile(lambda: None)
    assert "Traceback" not in said
    assert bench.process.poll() is None


def test_the_broker_takes_no_word_that_no_message_needs(bench: Bench) -> None:
    with pytest.raises(redis.RedisError):
        bench.client.lpush("bulk", "x" * 2_000_000)
