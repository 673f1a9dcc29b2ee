"""Fixtures of the inbox: a running ingester, and a wait for a condition."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from pydantic import SecretStr

from worker.inbox.ingest import run_ingest
from worker.settings import Settings

Ingesting = Callable[..., AbstractContextManager[None]]
Eventually = Callable[..., None]


@pytest.fixture
def settings(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    """Settings of a station, on the kind of record that the test names."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return settings
    url = request.getfixturevalue("new_postgres")()
    return settings.model_copy(update={"database_url": SecretStr(url)})


@pytest.fixture
def ingesting() -> Ingesting:
    """A context in which an ingester runs, quick to settle and to look again unless told otherwise."""

    @contextmanager
    def ingesting(settings: Settings, **changes: object) -> Iterator[None]:
        stop = threading.Event()
        settings = settings.model_copy(update={"settle_seconds": 0.1, "rescan_seconds": 1.0} | changes)
        thread = threading.Thread(target=run_ingest, args=(settings, stop))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(20)
            assert not thread.is_alive()

    return ingesting


@pytest.fixture
def eventually() -> Eventually:
    """A function that waits until something holds, and fails with what was waited for."""

    def eventually(condition: Callable[[], object], what: str, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, what
            time.sleep(0.05)

    return eventually
