"""The history of a scan."""

import pytest

from db.catalog.links import DerivativeName, enter_link, scan_places, withdraw_name
from db.errors import AmbiguousSelector
from db.queue import jobs
from db.queue.intake import quarantine_sighting, register
from db.reports.history import derivative_history, scan_history
from db.values import NewScan
from db.vocabulary import FileState, JobState


@pytest.fixture
def told(archive):
    """An archive with one restored scan of two sightings, and other scans."""
    archive.drop("other.tif", "other")
    lease = archive.work_on("album/a.tif", "a")
    archive.drop("copy.tif", "a")
    with archive.database.begin() as s:
        jobs.finish(s, lease, archive.derivative(), now=archive.wait(seconds=6))
    return archive


def tell(archive, selector):
    with archive.database.read() as s:
        return scan_history(s, selector)


def test_the_history_of_a_scan_is_complete(told):
    whole = tell(told, b"album/a.tif")
    assert (whole.scan.width, whole.scan.bit_depth, whole.scan.problem) == (2000, 16, None)
    assert [(seen.display, seen.state) for seen in whole.sightings] == [
        ("album/a.tif", FileState.DONE),
        ("copy.tif", FileState.DONE),
    ]
    (job,) = whole.jobs
    assert (job.state, job.attempts, job.recipe, job.model) == (
        JobState.DONE,
        1,
        {"strength": 1.0},
        "archive-1",
    )
    (derivative,) = whole.derivatives
    assert (derivative.luma_max_error, derivative.path) == (0.0, b"a.color.tif")
    assert [event.type for event in whole.events] == [
        "ingestion",
        "message digest calculation",
        "format identification",
        "job state change",
        "job state change",
        "ingestion",
        "job state change",
        "creation",
        "message digest calculation",
        "validation",
    ]
    assert whole.events[7].agent.kind == "model"


@pytest.mark.parametrize(
    "selector", [b"copy.tif", "copy.tif", "album/a.tif", "2", "file:3", "scan:2", "job:2", "ca978112ca1b"]
)
def test_a_scan_can_be_named_in_many_ways(told, selector):
    assert tell(told, selector).scan.id == 2


@pytest.mark.parametrize(
    "selector", [b"no.tif", "no.tif", "99", "job:99", "mood:1", "abc", "ffffff", "9" * 40]
)
def test_an_unknown_selector_has_no_history(told, selector):
    assert tell(told, selector) is None


def test_a_prefix_that_fits_two_scans_asks_for_more(archive):
    with archive.database.begin() as s:
        for n in "12":
            register(s, archive.seen(f"{n}.tif"), NewScan("abcdef" + n * 58, 1), None, now=archive.now)
    with pytest.raises(AmbiguousSelector, match="more digits"):
        tell(archive, "abcdef")
    assert tell(archive, "abcdef2").scan.id == 2


def test_an_unhashed_file_has_a_history(archive):
    with archive.database.begin() as s:
        quarantine_sighting(s, archive.seen("link.tif"), archive.problem("unsafe-file"), now=archive.now)
    whole = tell(archive, "link.tif")
    assert whole.scan is None
    assert whole.sightings[0].problem.reason == "because of unsafe-file"
    assert [event.type for event in whole.events] == ["quarantine"]


def test_a_path_shows_its_current_content(archive):
    archive.drop("a.tif", "old")
    new = archive.drop("a.tif", "new")
    assert tell(archive, "a.tif").scan.id == new.scan_id


def test_a_replaced_sighting_has_no_state(archive):
    old = archive.drop("a.tif", "old")
    archive.drop("a.tif", "new")
    whole = tell(archive, f"scan:{old.scan_id}")
    assert [seen.state for seen in whole.sightings] == [None]
    assert whole.jobs[0].problem.code == "master-changed"


def test_a_history_is_found_by_its_derivative(told):
    for path in (b"a.color.tif", b"a.color.tif.json", b"moved/a.color.tif"):
        with told.database.read() as s:
            found = derivative_history(s, path)
        assert found.scan.sha256 == told.content("a").sha256
    with told.database.read() as s:
        assert derivative_history(s, b"other.color.tif") is None


@pytest.mark.parametrize("digits", [8, 16])
def test_a_derivative_is_known_by_the_digests_in_its_name(archive, digits):
    sha256, fingerprint = archive.content("a").sha256, f"{100:064x}"
    lease = archive.work_on("album/a.tif", "a")
    tail = f"{sha256[:digits]}-{fingerprint[:digits]}.tif"
    with archive.database.begin() as s:
        jobs.finish(s, lease, archive.derivative(f"album/a.{tail}"), now=archive.now)
    archive.drop("other.tif", "other")
    with archive.database.read() as s:
        for name in (f"album/a.{tail}", f"a.{tail}", f"a.{tail}.json", f"renamed/b.{tail}"):
            assert derivative_history(s, name.encode()).scan.sha256 == sha256
        for name in (
            f"a.{'0' * digits}-{fingerprint[:digits]}.tif",
            f"a.{sha256[:digits]}-{'f' * digits}.tif",
        ):
            assert derivative_history(s, name.encode()) is None


def test_an_ambiguous_name_has_no_history(archive):
    for folder in ("x", "y"):
        lease = archive.work_on(f"{folder}/a.tif", folder)
        with archive.database.begin() as s:
            jobs.finish(s, lease, archive.derivative(f"{folder}/a.color.tif"), now=archive.now)
    with archive.database.read() as s:
        assert derivative_history(s, b"a.color.tif") is None
        assert derivative_history(s, b"y/a.color.tif").sightings[0].display == "y/a.tif"


def test_a_history_is_found_by_further_and_withdrawn_names(archive):
    lease = archive.work_on("x/a.tif", "a")
    names = [
        DerivativeName(None, "outbox", f"{n}/a.color.tif".encode(), f"{n}/a.color.tif") for n in ("y", "z")
    ]
    with archive.database.begin() as s:
        made = jobs.finish(s, lease, archive.derivative("x/a.color.tif"), now=archive.now)
        assert all(enter_link(s, made, name, copied=False, now=archive.now) for name in names)
        places_now = scan_places(s, lease.scan_id, "inbox")
        (named,) = places_now.derivatives
        withdraw_name(s, named, named.names[0], named.names[1], now=archive.now)
    archive.drop("other.tif", "other")
    with archive.database.read() as s:
        for path in (b"y/a.color.tif", b"z/a.color.tif", b"x/a.color.tif", b"a.color.tif"):
            assert derivative_history(s, path).scan.id == lease.scan_id
