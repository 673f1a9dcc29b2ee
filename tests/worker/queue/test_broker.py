import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
import redis

from worker.errors import BrokerUnavailable
from worker.queue.broker import broker_client, has_mark, ping, public_address, serve_broker, set_mark
from worker.settings import Settings, load_settings

SERVE = (
    "import threading; from worker.queue.broker import serve_broker\n"
    "from worker.settings import load_settings\n"
    "serve_broker(load_settings(), threading.Event())"
)


def await_answer(settings: Settings) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            ping(settings)
        except BrokerUnavailable:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return


@pytest.fixture
def broker(settings: Settings) -> Iterator[Settings]:
    stop = threading.Event()
    thread = threading.Thread(target=serve_broker, args=(settings, stop))
    thread.start()
    await_answer(settings)
    yield settings
    stop.set()
    thread.join()


def test_the_embedded_broker_answers_on_a_private_socket_only(broker: Settings) -> None:
    status = ping(broker)
    assert status.version.startswith("9.")
    assert status.depth == {"interactive": 0, "bulk": 0}
    assert broker.broker_socket.stat().st_mode & 0o077 == 0
    client = broker_client(broker)
    assert client.config_get("port") == {"port": "0"}
    assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    client.close()


def test_messages_survive_a_killed_station(settings: Settings) -> None:
    host = subprocess.Popen([sys.executable, "-c", SERVE])
    try:
        await_answer(settings)
        client = broker_client(settings)
        client.lpush("bulk", "kept")
        set_mark(client)
        client.execute_command("WAITAOF", 1, 0, 10_000)
        server = int(client.info("server")["process_id"])
    finally:
        host.kill()
        host.wait()
    os.kill(server, signal.SIGKILL)
    with subprocess.Popen([sys.executable, "-c", SERVE]) as again:
        await_answer(settings)
        assert ping(settings).depth["bulk"] == 1
        assert has_mark(broker_client(settings))
        server = int(broker_client(settings).info("server")["process_id"])
        again.kill()
    os.kill(server, signal.SIGTERM)


def test_a_broker_that_outlived_its_station_is_replaced(settings: Settings) -> None:
    host = subprocess.Popen([sys.executable, "-c", SERVE])
    await_answer(settings)
    orphan = int(broker_client(settings).info("server")["process_id"])
    host.kill()
    host.wait()
    stop = threading.Event()
    thread = threading.Thread(target=serve_broker, args=(settings, stop))
    thread.start()
    deadline = time.monotonic() + 20
    while True:
        assert time.monotonic() < deadline
        try:
            if int(broker_client(settings).info("server")["process_id"]) != orphan:
                break
        except redis.RedisError:
            time.sleep(0.05)
    stop.set()
    thread.join()


def test_a_silent_broker_is_named_without_its_password(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BrokerUnavailable, match="saek station"):
        ping(settings)
    monkeypatch.setenv("SAEK_BROKER_URL", "redis://:secret@127.0.0.1:1/0")
    external = load_settings()
    assert public_address(external) == "redis://127.0.0.1:1/0"
    with pytest.raises(BrokerUnavailable, match="SAEK_BROKER_URL") as caught:
        ping(external)
    assert "secret" not in str(caught.value)
