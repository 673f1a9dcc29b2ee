"""Selection of files for a command."""

import datetime as dt

import pytest
from sqlalchemy import update

from db.catalog.selection import (
    Selection,
    collections_on_record,
    has_files,
    mean_seconds_per_megapixel,
    select_scans,
    similar_names,
)
from db.core.schema import Sighting
from db.errors import EmptySelection
from db.queue import jobs
from db.queue.commands import reprocess
from db.vocabulary import FileState


@pytest.fixture
def album(archive):
    """Five files, one a day; the first is done, the second runs."""
    names = ["album/1.tif", "album/back/2.tif", "album2/3.tif", "가족/4.tif", "5.tif"]
    for name in names:
        archive.drop(name, name)
        archive.wait(days=1)
    lease = archive.claim(1)
    with archive.database.begin() as s:
        jobs.finish(s, lease, archive.derivative(), now=archive.now)
    archive.claim(2)
    return archive


def chosen(archive, **conditions):
    with archive.database.read() as s:
        return [scan.display for scan in select_scans(s, Selection(**conditions))]


def test_an_empty_selection_is_an_error(album):
    with pytest.raises(EmptySelection, match="--all"):
        chosen(album)


def test_all_files_are_selected_on_request(album):
    assert len(chosen(album, all=True)) == 5


def test_a_collection_includes_its_subfolders_only(album):
    assert chosen(album, collections=("album",)) == ["album/1.tif", "album/back/2.tif"]
    assert chosen(album, collections=("album/back", "가족")) == ["album/back/2.tif", "가족/4.tif"]


def test_a_collection_with_a_wildcard_in_its_name_is_only_itself(album):
    album.drop("alb%/x.tif", "x")
    assert chosen(album, collections=("alb%",)) == ["alb%/x.tif"]


@pytest.mark.parametrize(
    ("states", "names"),
    [
        ((FileState.DONE,), ["album/1.tif"]),
        ((FileState.RUNNING,), ["album/back/2.tif"]),
        ((FileState.DONE, FileState.RUNNING), ["album/1.tif", "album/back/2.tif"]),
        ((FileState.QUEUED,), ["album2/3.tif", "가족/4.tif", "5.tif"]),
        ((FileState.QUARANTINED,), []),
    ],
)
def test_states_select_files(album, states, names):
    assert chosen(album, states=states) == names


def test_dates_bound_the_day_a_file_was_first_seen(album):
    first = album.now - dt.timedelta(days=5)
    assert chosen(album, since=first + dt.timedelta(days=1), until=first + dt.timedelta(days=3)) == [
        "album/back/2.tif",
        "album2/3.tif",
    ]


def test_ids_are_those_of_the_files(album):
    assert chosen(album, ids=(3, 5)) == ["album2/3.tif", "5.tif"]


def test_globs_match_the_whole_path(album):
    assert chosen(album, globs=("album*/3.*",)) == ["album2/3.tif"]
    assert chosen(album, globs=("가족/*", "?.tif")) == ["가족/4.tif", "5.tif"]


def test_conditions_narrow_each_other(album):
    assert chosen(album, collections=("album",), states=(FileState.DONE,), globs=("*1*",)) == ["album/1.tif"]


def test_stale_scans_have_only_other_recipes(album):
    assert chosen(album, stale_for=f"{50:064x}") == ["album/1.tif"]
    assert chosen(album, stale_for=f"{100:064x}") == []


def test_a_scan_with_several_sightings_is_selected_once(album):
    album.drop("copy of 1.tif", "album/1.tif")
    assert len(chosen(album, all=True)) == 5


def test_files_that_are_gone_are_not_chosen(album, take_away):
    with album.database.begin() as s:
        take_away(s, b"5.tif", now=album.now)
    assert chosen(album, ids=(4, 5)) == ["가족/4.tif"]


def test_selected_scans_can_be_reprocessed_while_read(album):
    recipe = album.recipe(0.5)
    with album.database.begin() as s:
        scans = (scan.scan_id for scan in select_scans(s, Selection(states=(FileState.DONE,))))
        told = reprocess(s, scans, recipe, "kim", now=album.now)
    assert told.created == 1


def test_the_time_per_megapixel_needs_a_derivative(archive):
    with archive.database.read() as s:
        assert mean_seconds_per_megapixel(s) is None
    lease = archive.work_on()
    with archive.database.begin() as s:
        jobs.finish(s, lease, archive.derivative(seconds=6.0), now=archive.now)
        assert mean_seconds_per_megapixel(s) == pytest.approx(2.0)


def test_the_collections_on_record_are_all_folders_above_files(album):
    album.drop("deep/er/still/6.tif", "6")
    album.drop("old/7.tif", "seven")
    with album.database.begin() as s:
        s.execute(update(Sighting).where(Sighting.display == "old/7.tif").values(superseded_at=album.now))
        assert collections_on_record(s) == {
            *("album", "album/back", "album2", "가족"),
            *("deep", "deep/er", "deep/er/still"),
        }
        assert [has_files(s, name) for name in ("deep/er", "deep/e", "old", "", "album_")] == [
            *(True, False, False, True, False),
        ]


def test_similar_names_share_the_folder_or_the_last_part(album):
    with album.database.read() as s:
        assert similar_names(s, "album/9.tif", 10) == ["album/1.tif"]
        assert similar_names(s, "2.tif", 10) == ["5.tif", "album/back/2.tif"]
        assert similar_names(s, "nowhere/_.tif", 10) == []


def test_a_state_selects_files_by_any_of_their_jobs(album):
    recipe = album.recipe(0.5)
    with album.database.begin() as s:
        reprocess(s, [1], recipe, "kim", now=album.now)
    assert chosen(album, states=(FileState.QUEUED,))[0] == "album/1.tif"
    assert chosen(album, states=(FileState.DONE,)) == ["album/1.tif"]
    assert chosen(album, states=(FileState.DONE, FileState.RUNNING)) == ["album/1.tif", "album/back/2.tif"]


def test_ids_and_globs_widen_each_other_and_narrow_the_rest(album):
    assert chosen(album, ids=(1, 3), globs=("*/4.tif",)) == ["album/1.tif", "album2/3.tif", "가족/4.tif"]
    assert chosen(album, ids=(1, 3), globs=("*/4.tif",), collections=("album2",)) == ["album2/3.tif"]
