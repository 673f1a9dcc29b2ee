import itertools
import os
import socket
import struct
import subprocess
import threading
import time
import unicodedata
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from db.catalog.files import FileRow, list_files
from db.core.engine import Database
from db.vocabulary import FileState
from restoration import Limits
from worker.inbox.intake import IntakeResult, register_file
from worker.inbox.rescan import everything_known
from worker.settings import HardLinks, Settings

TakeIn = Callable[[str | bytes], IntakeResult]


@pytest.fixture
def take(settings: Settings, database: Database, recipe_id: int) -> TakeIn:
    def take(name: str | bytes) -> IntakeResult:
        return register_file(database, settings.inbox_path, os.fsencode(name), recipe_id, Limits())

    return take


@pytest.fixture
def inbox(settings: Settings) -> Path:
    return settings.inbox_path


def rows(database: Database) -> list[FileRow]:
    with database.read() as s:
        return list(list_files(s))


def scan(path: Path, seed: int = 0) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, np.random.default_rng(seed).integers(0, 256, (40, 60), np.uint8))
    return path.read_bytes()


def test_a_scan_is_registered_where_it_lies_and_queued(take: TakeIn, inbox: Path, database: Database) -> None:
    before = scan(inbox / "마을" / "학교.tif")
    assert take("마을/학교.tif") is IntakeResult.QUEUED
    (row,) = rows(database)
    assert (row.display, row.collection, row.state) == ("마을/학교.tif", "마을", FileState.QUEUED)
    assert (inbox / "마을" / "학교.tif").read_bytes() == before


def test_the_same_bytes_twice_are_one_scan_with_two_sightings(
    take: TakeIn, inbox: Path, database: Database
) -> None:
    scan(inbox / "a.tif")
    scan(inbox / "b.tif")
    assert take("a.tif") is IntakeResult.QUEUED
    assert take("b.tif") is IntakeResult.KNOWN
    first, second = rows(database)
    assert first.scan_id == second.scan_id
    assert first.job_id == second.job_id


def test_decomposed_hangul_is_shown_composed_and_found_by_bytes(
    take: TakeIn, inbox: Path, database: Database
) -> None:
    name = unicodedata.normalize("NFD", "학교.tif")
    scan(inbox / name)
    assert take(name) is IntakeResult.QUEUED
    (row,) = rows(database)
    assert row.display == unicodedata.normalize("NFC", name)
    assert row.path == name.encode()


def make_cp949(inbox: Path) -> bytes:
    name = "사진.tif".encode("cp949")
    scan(inbox / "x.tif")
    (inbox / "x.tif").rename(inbox / os.fsdecode(name))
    return name


def make_link(inbox: Path) -> bytes:
    scan(inbox.parent / "elsewhere.tif")
    (inbox / "link.tif").symlink_to(inbox.parent / "elsewhere.tif")
    return b"link.tif"


def make_pipe(inbox: Path) -> bytes:
    os.mkfifo(inbox / "pipe.tif")
    return b"pipe.tif"


def make_socket(inbox: Path) -> bytes:
    here = Path.cwd()
    os.chdir(inbox)  # the whole path would be too long for a socket
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("socket.tif")
    finally:
        os.chdir(here)
    return b"socket.tif"


def make_linked_folder(inbox: Path) -> bytes:
    (inbox.parent / "elsewhere").mkdir()
    scan(inbox.parent / "elsewhere" / "a.tif")
    (inbox / "1950").symlink_to(inbox.parent / "elsewhere")
    return b"1950"


def make_device(inbox: Path) -> bytes:
    (inbox / "zero.tif").symlink_to("/dev/zero")
    return b"zero.tif"


def make_hard_link(inbox: Path) -> bytes:
    scan(inbox.parent / "elsewhere.tif")
    (inbox / "hard.tif").hardlink_to(inbox.parent / "elsewhere.tif")
    return b"hard.tif"


def make_empty(inbox: Path) -> bytes:
    (inbox / "empty.tif").touch()
    return b"empty.tif"


def make_text(inbox: Path) -> bytes:
    (inbox / "list.tif").write_text("no picture at all\n" * 10)
    return b"list.tif"


def make_bomb(inbox: Path) -> bytes:
    """A PNG of a few bytes whose header claims 3,600 megapixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(60_001))
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    (inbox / "bomb.png").write_bytes(png)
    return b"bomb.png"


@pytest.mark.parametrize(
    ("make", "code", "hint"),
    [
        (make_cp949, "name-not-utf-8", "convmv"),
        (make_link, "unsafe-file", "file itself"),
        (make_pipe, "unsafe-file", "file itself"),
        (make_socket, "unsafe-file", "file itself"),
        (make_linked_folder, "unsafe-file", "file itself"),
        (make_device, "unsafe-file", "file itself"),
        (make_hard_link, "unsafe-file", "SAEK_HARD_LINKS"),
        (make_empty, "empty-file", "again"),
        (make_text, "not-an-image", ""),
        (make_bomb, "image-too-large", ""),
    ],
)
def test_files_that_are_no_scans_are_quarantined_once(
    take: TakeIn, inbox: Path, database: Database, make: Callable[[Path], bytes], code: str, hint: str
) -> None:
    name = make(inbox)
    assert take(name) is IntakeResult.QUARANTINED
    assert take(name) is IntakeResult.QUARANTINED
    (row,) = rows(database)
    assert (row.state, row.code) == (FileState.QUARANTINED, code)
    assert row.reason
    assert row.remedy
    assert hint in row.remedy
    assert (inbox / os.fsdecode(name)).exists() or (inbox / os.fsdecode(name)).is_symlink()


def test_the_guess_at_a_cp949_name_is_told(take: TakeIn, inbox: Path, database: Database) -> None:
    take(make_cp949(inbox))
    (row,) = rows(database)
    assert "사진.tif" in (row.reason or "")


def test_a_file_that_went_is_no_error(take: TakeIn, database: Database) -> None:
    assert take("nothing.tif") is IntakeResult.GONE
    assert rows(database) == []


def test_a_file_that_was_replaced_becomes_a_scan_of_its_own(
    take: TakeIn, inbox: Path, database: Database
) -> None:
    scan(inbox / "a.tif", seed=1)
    take("a.tif")
    (first,) = rows(database)
    scan(inbox / "a.tif", seed=2)
    assert take("a.tif") is IntakeResult.QUEUED
    (second,) = rows(database)
    assert second.scan_id != first.scan_id


def test_hard_links_are_taken_in_where_they_are_meant(
    settings: Settings, database: Database, recipe_id: int
) -> None:
    name = make_hard_link(settings.inbox_path)
    taken = register_file(
        database, settings.inbox_path, name, recipe_id, Limits(), hard_links=HardLinks.ACCEPT
    )
    assert taken is IntakeResult.QUEUED


def test_nothing_behind_a_linked_folder_is_taken_in(take: TakeIn, inbox: Path, database: Database) -> None:
    """An observer that polls follows links, and tells of what lies behind them."""
    make_linked_folder(inbox)
    assert take("1950/a.tif") is IntakeResult.GONE
    assert rows(database) == []


def test_a_file_replaced_by_a_pipe_or_link_never_blocks_intake(
    take: TakeIn, inbox: Path, database: Database
) -> None:
    spare = inbox.parent / "spare"
    target, over = inbox / "a.tif", threading.Event()

    def turn() -> None:
        for number in itertools.count():
            if over.is_set():
                return
            match number % 4:
                case 0:
                    scan(spare)
                case 1:
                    os.mkfifo(spare)
                case 2:
                    spare.symlink_to("/dev/zero")
                case 3:
                    spare.symlink_to(inbox)
            spare.replace(target)

    scan(target)
    turning = threading.Thread(target=turn)
    turning.start()
    seen, began = set(), time.monotonic()
    try:
        while time.monotonic() - began < 1.0:
            seen.add(take("a.tif"))
    finally:
        over.set()
        turning.join()
    assert IntakeResult.QUARANTINED in seen
    assert len(rows(database)) == 1


@pytest.mark.parametrize("beside", ["a.tif.aria2", "a.tif.lftp-pget-status"])
def test_a_file_with_a_transfer_control_file_is_waited_for(
    take: TakeIn, inbox: Path, database: Database, beside: str
) -> None:
    scan(inbox / "a.tif")
    (inbox / beside).touch()
    assert take("a.tif") is IntakeResult.UNSETTLED
    (inbox / beside).unlink()
    assert take("a.tif") is IntakeResult.QUEUED


def test_an_empty_placeholder_of_a_download_is_waited_for(
    take: TakeIn, inbox: Path, database: Database
) -> None:
    (inbox / "a.tif").touch()
    (inbox / "a.tif.part").touch()
    assert take("a.tif") is IntakeResult.UNSETTLED
    (inbox / "a.tif.part").unlink()
    assert take("a.tif") is IntakeResult.QUARANTINED
    assert rows(database)[0].code == "empty-file"


@pytest.mark.parametrize("year", ["1601", "2300", "2446"])
def test_a_file_of_any_year_is_taken_in_and_then_known(
    take: TakeIn, inbox: Path, database: Database, settings: Settings, year: str
) -> None:
    scan(inbox / "a.tif")
    subprocess.run(["touch", "-d", f"{year}-01-01", inbox / "a.tif"], check=True)
    assert take("a.tif") is IntakeResult.QUEUED
    assert everything_known(database, inbox)
    assert take("a.tif") is IntakeResult.KNOWN
