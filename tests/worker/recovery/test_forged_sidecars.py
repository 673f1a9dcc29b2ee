"""Forged and damaged sidecars are reported and do not stop the recovery, on either database."""

import copy
import hashlib
import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from db.audit.due_checks import Due
from db.catalog.files import list_files
from db.catalog.sidecars import sidecar_object
from db.core.engine import Database, open_database
from db.core.schema import Derivative, Job, Link, Sighting
from db.migrations.runner import upgrade
from db.reports.history import scan_history
from db.values import utcnow
from db.vocabulary import FileState, Holding
from worker.console import jsonable
from worker.fixity.checks import Budget, check_files
from worker.fixity.reading import RateLimit
from worker.outbox.mirror import mirror
from worker.outbox.sidecars import sidecar_path
from worker.parts.wait_reporter import WaitReporter
from worker.recovery.database import recover_database
from worker.recovery.report import RecoveryReport
from worker.recovery.sidecars import recover_sidecars
from worker.settings import Settings, load_settings

Made = Callable[..., tuple[int, Path]]

DEEP: Any = []
for _ in range(300):
    DEEP = [DEEP]

NASTY: list[Any] = [
    None,
    True,
    -1,
    0,
    2**31,
    2**63,
    2**64,
    10**400,
    -(2**63),
    1e308,
    float("inf"),
    "",
    "x",
    "\0",
    "a\0b",
    "\ud800",
    "\x1b[2J\x07",
    "\u202etxt.tif",
    "x" * 200_000,
    "../../outside.tif",
    "/etc/outside.tif",
    "a/../../b.tif",
    "a//b.tif",
    ".",
    "link/outside.tif",
    "y/" * 3000 + "z.tif",
    "elsewhere",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59.999999-23:59",
    "1969-12-31T23:59:59+00:00",
    "2026-01-01T00:00:00",
    "0" * 64,
    "A" * 64,
    [],
    {},
    {"base64": "####"},
    {"base64": "//8="},
    {"x": 10**400, "y": "\0\ud800", "z": [1e308] * 3},
    DEEP,
]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def lost(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty record on either database."""
    url = f"sqlite:///{tmp_path}/lost.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("new_postgres")()
    upgrade(url)
    database = open_database(url)
    yield database
    database.dispose()


def sealed(told: dict[str, Any]) -> bytes:
    """The bytes of a sidecar whose checksum fits, as a forger would compute it from the documented rule."""
    whole = {name: value for name, value in told.items() if name != "digest"}
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"))
    whole["digest"] = hashlib.sha256(text.encode()).hexdigest()
    return json.dumps(whole).encode()


def places_in(told: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every value in a sidecar, by the keys that lead there."""
    if here:
        yield here
    items = told.items() if isinstance(told, dict) else enumerate(told) if isinstance(told, list) else ()
    for key, value in items:
        yield from places_in(value, (*here, key))


def changed(told: dict[str, Any], where: tuple[Any, ...], value: Any) -> dict[str, Any]:
    bad = copy.deepcopy(told)
    inner: Any = bad
    for key in where[:-1]:
        inner = inner[key]
    inner[where[-1]] = value
    return bad


def recover(database: Database, outbox: Path) -> RecoveryReport:
    return recover_database(database, outbox, lambda *_: None)


def outside(settings: Settings) -> set[Path]:
    """What lies in the home beside the outbox, but for what a station keeps for itself."""
    return {
        path
        for path in settings.home.rglob("*")
        if settings.outbox_path not in (path, *path.parents)
        and not path.name.startswith(("saek.db", "places.json"))
    }


@pytest.mark.parametrize("turn", range(2))
def test_whatever_a_sidecar_tells_the_good_ones_are_entered(
    settings: Settings, made: Made, lost: Database, turn: int
) -> None:
    good = {name: made(name)[1] for name in ("a.tif", "마을/b.tif", "zz/c.tif")}
    told = json.loads(sidecar_path(good["a.tif"]).read_text())
    dice = random.Random(turn)
    everywhere = [place for place in places_in(told) if place[0] not in {"digest", "statement", "events"}]
    everywhere += [place for place in places_in(told) if place[0] == "events"][:15]
    outbox = settings.outbox_path
    forged = outbox / "m"
    forged.mkdir()
    for number, where in enumerate(everywhere):
        picture = forged / f"{number}.tif"
        os.link(good["a.tif"], picture)
        sidecar_path(picture).write_bytes(sealed(changed(told, where, dice.choice(NASTY))))
    before = outside(settings)
    report = recover(lost, outbox)
    assert report.read == len(everywhere) + 3
    with lost.read() as s:
        done = {row.display for row in list_files(s) if row.state is FileState.DONE}
        assert set(good) <= done
        on_record = {*s.scalars(select(Derivative.path)), *s.scalars(select(Link.path))}
    named = {finding.display for finding in report.findings}
    entered = report.entered.derivatives + report.entered.links
    assert report.read == report.known + report.troubles + entered
    for number in range(len(everywhere)):
        assert (f"m/{number}.tif".encode() in on_record) != (f"m/{number}.tif.json" in named)
    for finding in report.findings:
        assert finding.reason.isprintable()
        assert len(finding.reason) < 500
        assert finding.remedy
    again = recover(lost, outbox)
    assert (again.entered.derivatives, again.entered.scans, again.entered.sightings) == (0, 0, 0)
    everything_can_be_read(lost, settings)
    assert outside(settings) == before


def everything_can_be_read(database: Database, settings: Settings) -> None:
    """Whatever was entered is shown, checked, written and mirrored like anything else."""
    folders = {"inbox": settings.inbox_path, "outbox": settings.outbox_path}
    with database.read() as s:
        for row in list(list_files(s)):
            json.dumps(jsonable(row, folders)).encode()
            json.dumps(jsonable(scan_history(s, f"file:{row.sighting_id}"), folders)).encode()
        for job in s.scalars(select(Job.id).join(Derivative, Derivative.job_id == Job.id)):
            json.dumps(sidecar_object(s, job), default=str)
    kinds = (Holding.DERIVATIVE, Holding.LINK)
    check_files(database, folders, kinds, Due(utcnow()), pace=RateLimit(None), budget=Budget())
    quiet = settings.model_copy(update={"min_free_bytes": 0})
    for _ in range(3):
        mirror(database, quiet, WaitReporter(quiet, "mirror"))
    recover_sidecars(database, settings.outbox_path, lambda *_: None)


CASES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "derivative root": lambda told: told["derivative"].update(root="inbox"),
    "unknown root": lambda told: told["sightings"][0].update(root="/etc"),
    "path up": lambda told: told["sightings"][0].update(path="../../x.tif"),
    "absolute path": lambda told: told["derivative"].update(path="/tmp/x.tif"),
    "path with NUL": lambda told: told["derivative"].update(path="a\0.tif"),
    "unknown field of the recipe": lambda told: told["recipe"]["body"].update(plugin="x"),
    "wrong kind in the recipe": lambda told: told["recipe"]["body"].update(strength="much"),
    "huge strength": lambda told: told["recipe"]["body"].update(strength=10**400),
    "model that is a list": lambda told: told["recipe"]["body"].update(model=["archive-3"]),
    "another model's name": lambda told: told["model"].update(name="somebody-elses"),
    "width beyond the column": lambda told: told["derivative"].update(width=2**31),
    "bytes beyond the column": lambda told: told["scan"].update(bytes=2**63),
    "infinite error": lambda told: told["derivative"].update(luma_max_error=float("inf")),
    "time out of range": lambda told: told["derivative"].update(
        created_at="9999-12-31T23:59:59.999999-23:59"
    ),
    "time without a zone": lambda told: told["job"].update(created_at="2026-01-01T00:00:00"),
    "year 1": lambda told: told["scan"].update(first_seen_at="0001-01-01T00:00:00+00:00"),
    "deep facts": lambda told: told["scan"].update(facts={"x": DEEP}),
    "negative size": lambda told: told["sightings"][0].update(size=-5),
    "attempts beyond bounds": lambda told: told["job"].update(attempts=9),
    "unknown lane": lambda told: told["job"].update(lane="fast\x1b[2J"),
    "unknown format": lambda told: told["derivative"].update(format="exe"),
    "endless text": lambda told: told["job"].update(requested_by="x" * 20_000),
    "another version": lambda told: told.update(version=10**300),
    "another schema": lambda told: told.update(schema="\ud800"),
}


@pytest.mark.parametrize("case", CASES)
def test_each_forgery_is_named_with_a_reason(
    settings: Settings, made: Made, lost: Database, case: str
) -> None:
    _, good = made("good.tif")
    _, bad = made("bad.tif")
    told = json.loads(sidecar_path(bad).read_text())
    CASES[case](told)
    sidecar_path(bad).write_bytes(sealed(told))
    report = recover(lost, settings.outbox_path)
    assert [finding.display for finding in report.findings] == [f"{bad.name}.json"]
    assert report.findings[0].reason.isprintable()
    assert report.entered.derivatives == 1
    with lost.read() as s:
        assert [row.display for row in list_files(s)] == ["good.tif"]
    assert good.exists()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff\xfe",
        b"{" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000,
        b'{"schema": "saek-sidecar", "version": NaN}',
        b'{"schema": "saek-sidecar", "version": 1e999}',
        b"9" * 100_000,
        b'"\\ud800"',
        b"null",
    ],
    ids=lambda raw: raw[:12].decode("latin-1"),
)
def test_what_is_no_sidecar_is_named(settings: Settings, made: Made, lost: Database, raw: bytes) -> None:
    made("good.tif")
    (settings.outbox_path / "bad.tif.json").write_bytes(raw)
    report = recover(lost, settings.outbox_path)
    assert [finding.display for finding in report.findings] == ["bad.tif.json"]
    assert report.entered.derivatives == 1


def test_links_fifos_and_folders_named_as_sidecars_are_reported(
    settings: Settings, made: Made, lost: Database, tmp_path: Path
) -> None:
    _, good = made("good.tif")
    outbox = settings.outbox_path
    shutil.copy(sidecar_path(good), tmp_path / "secret.json")
    (outbox / "link.tif.json").symlink_to(tmp_path / "secret.json")
    os.mkfifo(outbox / "fifo.tif.json")
    (outbox / "folder.tif.json").mkdir()
    (outbox / "away").symlink_to(tmp_path)
    report = recover(lost, outbox)
    told = {finding.display: finding.reason for finding in report.findings}
    assert told == {
        "link.tif.json": "it is a link, which could lead anywhere",
        "fifo.tif.json": "it is not a regular file",
    }
    assert report.entered.derivatives == 1


def test_a_folder_that_cannot_be_read_costs_only_itself(
    settings: Settings, made: Made, lost: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    made("good.tif")
    made("closed/a.tif")
    scandir = os.scandir

    def refuse(path: bytes) -> Any:  # root may read everything, so the refusal is played
        if os.fsencode(path).endswith(b"/closed"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    report = recover(lost, settings.outbox_path)
    assert [finding.display for finding in report.findings] == ["closed"]
    assert report.entered.derivatives == 1


def test_what_lies_in_a_recycle_bin_is_not_recovered(settings: Settings, made: Made, lost: Database) -> None:
    _, good = made("good.tif")
    (settings.outbox_path / "#recycle").mkdir()
    for path in (good, sidecar_path(good)):
        shutil.copy(path, settings.outbox_path / "#recycle" / path.name)
    assert recover(lost, settings.outbox_path).read == 1


def test_further_names_come_back_with_the_record(settings: Settings, made: Made, lost: Database) -> None:
    _, good = made("good.tif")
    for folder, take in (("links", os.link), ("copies", shutil.copy)):
        (settings.outbox_path / folder).mkdir()
        for path in (good, sidecar_path(good)):
            take(path, settings.outbox_path / folder / path.name)
    report = recover(lost, settings.outbox_path)
    assert (report.entered.derivatives, report.entered.links, report.troubles) == (1, 2, 0)
    with lost.read() as s:
        names = {*s.scalars(select(Derivative.display)), *s.scalars(select(Link.display))}
    assert names == {good.name, f"links/{good.name}", f"copies/{good.name}"}
    again = recover(lost, settings.outbox_path)
    assert (again.known, again.entered.links) == (3, 0)


def test_a_changed_copy_is_no_further_name(settings: Settings, made: Made, lost: Database) -> None:
    _, good = made("good.tif")
    copied = settings.outbox_path / "copies" / good.name
    copied.parent.mkdir()
    shutil.copy(sidecar_path(good), sidecar_path(copied))
    copied.write_bytes(b"x" * good.stat().st_size)
    report = recover(lost, settings.outbox_path)
    assert report.entered.links + report.entered.derivatives == 1
    assert [finding.display for finding in report.findings] == [f"copies/{good.name}.json"]


@pytest.mark.parametrize("table", [Derivative, Link])
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("path", b"../../outside.tif"),
        ("path", b"/tmp/outside.tif"),
        ("path", b"link/outside.tif"),
        ("path", b"a\0.tif"),
        ("path", b"x" * 300 + b".tif"),
        ("root", "elsewhere"),
        ("root", "inbox"),
    ],
)
def test_no_tampered_row_has_a_sidecar_written_outside(
    settings: Settings,
    made: Made,
    database: Database,
    table: type[Any],
    column: str,
    value: Any,
    tmp_path: Path,
) -> None:
    _, good = made("good.tif")
    content = good.read_bytes()
    with database.begin() as s:
        (owner,) = s.scalars(select(Derivative.id))
        s.add(
            Link(
                derivative_id=owner,
                root="outbox",
                path=b"b.tif",
                path_sha256=b"b" * 32,
                display="b.tif",
                copied=False,
                created_at=utcnow(),
            )
        )
    os.link(good, settings.outbox_path / "b.tif")
    (tmp_path / "away").mkdir()
    (settings.outbox_path / "link").symlink_to(tmp_path / "away")
    for lure in (tmp_path / "away", settings.home.parent, settings.inbox_path, Path("/tmp")):
        if lure != Path("/tmp"):
            (lure / "outside.tif").write_bytes(content)
    before = outside(settings) | set((tmp_path / "away").iterdir())
    with database.begin() as s:
        s.execute(update(table).values({column: value}))
    told: list[Any] = []
    report = recover_sidecars(database, settings.outbox_path, lambda _, finding: told.append(finding))
    assert report.troubles == 1
    assert outside(settings) | set((tmp_path / "away").iterdir()) == before
    assert not Path("/tmp/outside.tif.json").exists()


def test_a_sidecar_beside_another_scans_picture_is_refused(
    settings: Settings, made: Made, lost: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, good = made("good.tif")
    monkeypatch.setattr("worker.recovery.database.read_disclosure", lambda _: {"masterSha256": "0" * 64})
    report = recover(lost, settings.outbox_path)
    assert "made from another scan" in report.findings[0].reason
    assert good.exists()


def test_names_are_shown_by_our_rule_whatever_the_sidecar_says(
    settings: Settings, made: Made, lost: Database
) -> None:
    _, good = made("1950/good.tif")
    told = json.loads(sidecar_path(good).read_text())
    told["sightings"][0].update(display="\x1b[2Jharmless.tif", collection="elsewhere")
    sidecar_path(good).write_bytes(sealed(told))
    recover(lost, settings.outbox_path)
    with lost.read() as s:
        row = s.execute(select(Sighting.display, Sighting.collection)).one()
    assert tuple(row) == ("1950/good.tif", "1950")
    assert load_settings().outbox_path == settings.outbox_path
