import os
import queue
import shutil
from pathlib import Path

from worker.inbox.inotify import WatchCallbacks, start_watching, watch_mode
from worker.settings import Settings, Watch


def await_hints(hints: "queue.Queue[bytes]", wanted: set[bytes]) -> set[bytes]:
    seen: set[bytes] = set()
    while not wanted <= seen:
        seen.add(hints.get(timeout=10))
    return seen


def listener(hints: "queue.Queue[bytes]") -> WatchCallbacks:
    return WatchCallbacks(hints.put, lambda: None, lambda _: None)


def test_written_moved_and_renamed_files_give_hints(settings: Settings, tmp_path: Path) -> None:
    hints: queue.Queue[bytes] = queue.Queue()
    observer = start_watching(settings, listener(hints))
    try:
        inbox = settings.inbox_path
        (inbox / "written.tif").write_bytes(b"1")
        await_hints(hints, {b"written.tif"})
        (tmp_path / "elsewhere.tif").write_bytes(b"2")
        (tmp_path / "elsewhere.tif").rename(inbox / "moved.tif")
        (inbox / "slow.tif.part").write_bytes(b"3")
        await_hints(hints, {b"moved.tif", b"slow.tif.part"})
        (inbox / "slow.tif.part").rename(inbox / "slow.tif")
        await_hints(hints, {b"slow.tif"})
        cp949 = "사진.tif".encode("cp949")
        (inbox / os.fsdecode(cp949)).write_bytes(b"4")
        await_hints(hints, {cp949})
        folder = tmp_path / "batch"
        (folder / "deep").mkdir(parents=True)
        (folder / "deep" / "scan.tif").write_bytes(b"5")
        shutil.move(folder, inbox / "batch")
        await_hints(hints, {b"batch/deep/scan.tif"})
    finally:
        observer.stop()
        observer.join()


def test_reading_and_what_is_written_bit_by_bit_fill_no_queue(settings: Settings) -> None:
    hints: queue.Queue[bytes] = queue.Queue()
    inbox = settings.inbox_path
    (inbox / "old.tif").write_bytes(b"1")
    observer = start_watching(settings, listener(hints))
    try:
        with (inbox / "new.tif").open("wb", buffering=0) as slow:
            for _ in range(10):
                slow.write(b"1")
                (inbox / "old.tif").read_bytes()
        (inbox / "last.tif").touch()
        await_hints(hints, {b"last.tif"})
    finally:
        observer.stop()
        observer.join()
    assert hints.qsize() <= 1  # of last.tif
    assert not observer.is_healthy()


def test_a_local_disk_is_watched_by_the_kernel(settings: Settings) -> None:
    assert watch_mode(settings) is Watch.INOTIFY
    assert watch_mode(settings.model_copy(update={"watch": Watch.POLLING})) is Watch.POLLING
