"""Scans with similar digests, and masters with similar names, get separate names for their derivatives."""

import hashlib
import struct
import unicodedata
from pathlib import Path

import pytest
from sqlalchemy import select, update

from db.core import Database
from db.core.schema import Derivative, Job, Scan
from db.vocabulary import JobState
from restoration import Limits
from worker.inbox.intake import register_file
from worker.jobs import derivatives
from worker.jobs.context import JobContext
from worker.jobs.tasks import run_job
from worker.models.library import library_from
from worker.outbox.sidecars import read_sidecar_file, sidecar_path
from worker.recipe_registration import record_recipe
from worker.recipes import recipe_from
from worker.settings import Settings, load_settings

ALIKE = (9466798, 26278538)
"""Tails by which the digests of the picture below begin with the same 12 digits: two of 2^25 tried."""


def picture(tail: int) -> bytes:
    """A gray TIFF of 48 x 48 pixels, laid out by hand, with 8 bytes behind it that no reader looks at."""
    side = 48
    pixels = bytes((x * x + y * y + 3 * x * y) // 61 % 97 + 80 for y in range(side) for x in range(side))
    data = 8 + 2 + 9 * 12 + 4
    entries = [
        (256, 3, 1, side),
        (257, 3, 1, side),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, data),
        (277, 3, 1, 1),
        (278, 3, 1, side),
        (279, 4, 1, side * side),
    ]
    directory = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    head = struct.pack("<2sHI", b"II", 42, 8) + struct.pack("<H", len(entries)) + directory
    return head + struct.pack("<I", 0) + pixels + tail.to_bytes(8, "little")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def settings(request: pytest.FixtureRequest, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings with either database."""
    if request.param == "postgresql":
        monkeypatch.setenv("SAEK_DATABASE_URL", request.getfixturevalue("new_postgres")())
        settings = load_settings()
    return settings


class Inbox:
    """An inbox whose files are taken in and colored one by one."""

    def __init__(self, database: Database, context: JobContext) -> None:
        self.database, self.context, self.settings = database, context, context.settings
        with database.begin() as s:
            self._recipe = record_recipe(s, recipe_from(self.settings), library_from(self.settings))

    def put(self, name: str, content: bytes) -> int:
        path = self.settings.inbox_path / name
        path.write_bytes(content)
        register_file(self.database, self.settings.inbox_path, name.encode(), self._recipe, Limits())
        with self.database.read() as s:
            digest = hashlib.sha256(content).hexdigest()
            return s.scalars(select(Job.id).join(Scan).where(Scan.sha256 == digest)).one()

    def color(self, job: int) -> Path:
        run_job(self.context, job)
        with self.database.read() as s:
            assert s.scalars(select(Job.state).where(Job.id == job)).one() is JobState.DONE
            made = s.scalars(select(Derivative).where(Derivative.job_id == job)).one()
        path = self.settings.outbox_path / made.path.decode()
        assert hashlib.sha256(path.read_bytes()).hexdigest() == made.sha256
        assert read_sidecar_file(sidecar_path(path))[0].derivative["path"] == made.path
        return path


@pytest.fixture
def inbox(database: Database, context: JobContext) -> Inbox:
    return Inbox(database, context)


def test_digests_that_begin_alike_get_names_with_whole_digests(inbox: Inbox) -> None:
    digests = [hashlib.sha256(picture(tail)).hexdigest() for tail in ALIKE]
    assert digests[0][:12] == digests[1][:12]
    assert digests[0] != digests[1]
    jobs = [inbox.put(name, picture(tail)) for name, tail in zip(("a.tif", "a.tiff"), ALIKE, strict=True)]
    first, second = map(inbox.color, jobs)
    assert first.name == f"a.{digests[0][:12]}-{first.name[-12:]}"
    assert second.name.startswith(f"a.{digests[1]}-")


def test_a_name_that_only_the_record_knows_is_not_given_twice(inbox: Inbox) -> None:
    """As when two workers finish at once: the file of the other is not there yet."""
    jobs = [inbox.put(name, picture(tail)) for name, tail in zip(("a.tif", "a.tiff"), ALIKE, strict=True)]
    first = inbox.color(jobs[0])
    hidden = first.rename(first.with_name(".away"))
    second = inbox.color(jobs[1])
    assert second != first
    assert not first.exists()
    with inbox.database.read() as s:
        assert s.scalars(select(Job.attempts).where(Job.id == jobs[1])).one() == 1, "no attempt failed"
    assert hidden.exists()


def test_a_file_of_somebody_elses_is_not_overwritten(inbox: Inbox) -> None:
    job = inbox.put("a.tif", picture(1))
    fingerprint = recipe_from(inbox.settings).fingerprint()
    mine = (
        inbox.settings.outbox_path / f"a.{hashlib.sha256(picture(1)).hexdigest()[:12]}-{fingerprint[:8]}.tif"
    )
    mine.write_bytes(b"mine")
    made = inbox.color(job)
    assert mine.read_bytes() == b"mine"
    assert made.name.endswith(f"-{fingerprint}.tif")


def test_a_published_but_unrecorded_derivative_is_replaced(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after kill -9 between name and commit: it tells of itself that it is no other derivative."""
    job = inbox.put("a.tif", picture(1))
    publish = derivatives.publish_with_sidecar

    def publish_and_die(*what: object) -> None:
        publish(*what)  # type: ignore[arg-type]
        raise RuntimeError("killed")

    monkeypatch.setattr(derivatives, "publish_with_sidecar", publish_and_die)
    run_job(inbox.context, job)
    left = {path.name for path in inbox.settings.outbox_path.iterdir()}
    assert len(left) == 3, "derivative, sidecar, mark"
    monkeypatch.setattr(derivatives, "publish_with_sidecar", publish)
    with inbox.database.begin() as s:
        s.execute(update(Job).values(not_before=None))
    inbox.color(job)
    assert {path.name for path in inbox.settings.outbox_path.iterdir()} == left


def test_names_that_differ_in_ending_or_form_stay_apart(inbox: Inbox) -> None:
    composed = "사진.tif"
    names = [composed, unicodedata.normalize("NFD", composed), "a.tif", "a.jpg", "a.tiff", "A.tif", "a.b.tif"]
    made = {inbox.color(inbox.put(name, picture(number))) for number, name in enumerate(names)}
    assert len({path.name.casefold() for path in made}) == len(names)
    folded = {unicodedata.normalize("NFC", path.name).casefold() for path in made}
    assert len(folded) == len(names), "nor would they meet where case and form make no difference"


def test_long_names_in_any_script_are_cut_between_characters(inbox: Inbox) -> None:
    for stem in ("가" * 83, "x" * 250):
        made = inbox.color(inbox.put(f"{stem}.tif", picture(len(stem))))
        assert len(made.name.encode()) <= 200
        assert len(sidecar_path(made).name.encode()) <= 255


def test_a_path_too_long_for_the_outbox_is_told(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """No path of the inbox itself is so long: the outbox lies deeper."""
    monkeypatch.setattr(
        "worker.storage.recorded_paths.LONGEST_PATH", len(str(inbox.settings.outbox_path)) + 60
    )
    job = inbox.put("a-name-that-is-just-a-little-too-long.tif", picture(1))
    run_job(inbox.context, job)
    with inbox.database.read() as s:
        row = s.execute(select(Job.failure_code, Job.failure_remedy)).one()
    assert row.failure_code == "path-too-long"
    assert "SAEK_OUTBOX" in row.failure_remedy
    assert [path for path in inbox.settings.outbox_path.iterdir() if path.name != ".saek-outbox"] == []
