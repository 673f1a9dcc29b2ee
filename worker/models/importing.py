"""Model import from a file, a folder, a training run, or an address."""

import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from restoration import (
    MAX_CARD_BYTES,
    MAX_PAGE_BYTES,
    MAX_WEIGHTS_BYTES,
    Imported,
    ModelError,
    ModelRefused,
    Storage,
    import_model,
)
from worker.models.download import CHUNK, DownloadProgress, fetch, fetch_small, shown
from worker.models.library import library_from
from worker.printable import printable
from worker.settings import Settings

WEIGHTS_SUFFIX = ".safetensors"


def is_address(source: str) -> bool:
    """Return whether a source is a URL, whose checksum must be known beforehand."""
    return "://" in source


def is_run(source: str) -> bool:
    """Return whether a source is the folder of a training run, which has no name of its own."""
    return not is_address(source) and (Path(source) / "best.safetensors").is_file()


def import_from(
    source: str,
    settings: Settings,
    *,
    name: str | None = None,
    sha256: str | None = None,
    storage: Storage = Storage.FP16,
    progress: DownloadProgress | None = None,
) -> Imported:
    """Install the model at `source`: a .safetensors file, a folder with one, a run, or an address.

    A run is exported under `name` in the precision `storage`; anything else is installed as it is.

    Raises:
        restoration.ModelError: it is not a model that can run here, or not the one with `sha256`.
        restoration.NoSpace, restoration.OutputUnavailable: the folder of models cannot be written to.
        DownloadFailed: it cannot be downloaded now. restoration.training.TrainingError: the run has not
        ended.
    """
    if is_address(source) and urlsplit(source).scheme != "file":
        with _named(shown(source)):
            return _from_network(source, settings, name, sha256, progress)
    path = _local(source)
    if is_run(source):
        with tempfile.TemporaryDirectory(prefix="saek-export-") as folder:
            return _from_run(path, Path(folder), settings, name, storage)
    return _from_file(_weights_in(path) if path.is_dir() else path, settings, name, sha256, progress)


def _from_network(
    url: str, settings: Settings, name: str | None, sha256: str | None, progress: DownloadProgress | None
) -> Imported:
    parts = urlsplit(url)
    if not parts.path.endswith(WEIGHTS_SUFFIX):
        raise _wrong_suffix()
    card = urlunsplit(parts._replace(path=parts.path.removesuffix(WEIGHTS_SUFFIX) + ".toml"))
    return import_model(
        fetch(url, MAX_WEIGHTS_BYTES, progress),
        settings.models_path,
        library_from(settings),
        name=name,
        sha256=sha256,
        card=fetch_small(card, MAX_CARD_BYTES),
    )


def _from_run(run: Path, folder: Path, settings: Settings, name: str | None, storage: Storage) -> Imported:
    from restoration.training import export_run  # noqa: PLC0415  (torch takes seconds)

    if name is None:
        raise ModelRefused(reason="a run has no name of its own", remedy="give one: --name NAME", path=run)
    card = export_run(run, name, folder, storage=storage)
    return _from_file(folder / card.file, settings, name, None, None)


def _from_file(
    path: Path, settings: Settings, name: str | None, sha256: str | None, progress: DownloadProgress | None
) -> Imported:
    with _named(printable(path)):
        if path.suffix != WEIGHTS_SUFFIX:
            raise _wrong_suffix()
        return import_model(
            _read(path, progress),
            settings.models_path,
            library_from(settings),
            name=name,
            sha256=sha256,
            card=_beside(path.with_suffix(".toml"), MAX_CARD_BYTES + 1),
            page=_beside(path.with_suffix(".md"), MAX_PAGE_BYTES),
        )


@contextmanager
def _named(source: str) -> Iterator[None]:
    """Add the source to errors about a model that has no path yet."""
    try:
        yield
    except ModelError as error:
        if error.path is not None or source in error.reason:
            raise
        raise type(error)(reason=f"{source}: {error.reason}", remedy=error.remedy) from error


def _local(source: str) -> Path:
    if not is_address(source):
        return Path(source).expanduser()
    parts = urlsplit(source)
    if parts.netloc not in {"", "localhost"}:
        raise ModelRefused(
            reason=f"{source} names a file of another machine", remedy="write file:///folder/NAME.safetensors"
        )
    return Path(unquote(parts.path))


def _weights_in(folder: Path) -> Path:
    found = sorted(folder.glob(f"*{WEIGHTS_SUFFIX}"))
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise ModelRefused(
            reason=f"the folder must hold one {WEIGHTS_SUFFIX} file, found: {names}",
            remedy="name the file itself",
            path=folder,
        )
    return found[0]


def _read(path: Path, progress: DownloadProgress | None) -> Iterator[bytes]:
    """Yield a regular file in chunks; its errors are not those of the folder that is written to."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ModelRefused(reason="it is not a regular file", remedy="give the weights file", path=path)
        with path.open("rb") as file:
            here = 0
            while chunk := file.read(CHUNK):
                here += len(chunk)
                if progress is not None:
                    progress(here, status.st_size)
                yield chunk
    except OSError as error:
        raise _unreadable(path, error) from error


def _beside(path: Path, limit: int) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(limit)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> ModelRefused:
    return ModelRefused(
        reason=f"it cannot be read: {error.strerror or error}",
        remedy="check that it exists and that you may read it",
        path=path,
    )


def _wrong_suffix() -> ModelRefused:
    return ModelRefused(
        reason=f"it does not end in {WEIGHTS_SUFFIX}; no other formats are read, and never pickles",
        remedy="ask for the weights as safetensors",
    )
