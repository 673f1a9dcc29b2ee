"""Installation of models in a folder of the user: import, export, removal.

An imported file is untrusted: its size is limited, its checksum is compared before it is parsed, it is read
as safetensors and never unpickled, its name cannot lead out of the folder, and it must color a small picture
before it gets its name. A killed process leaves a hidden draft, which the next import removes.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from restoration import atomic_write
from restoration.errors import ModelError, ModelRefused, OutputExists, UnknownModel, WeightsMismatch
from restoration.generators.models.card import NAME, ModelCard, card_toml, read_card
from restoration.generators.models.import_card import read_offered_card
from restoration.generators.models.registry import Library, model_card
from restoration.generators.models.weights import page_path, verify_model, weights_path

MAX_WEIGHTS_BYTES = 2_000_000_000
"""Maximum size of a weights file."""

MAX_PAGE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Imported:
    """An imported model, and whether it is new."""

    card: ModelCard
    new: bool


def import_model(
    chunks: Iterable[bytes],
    folder: Path,
    library: Library,
    *,
    name: str | None = None,
    sha256: str | None = None,
    card: bytes | None = None,
    page: bytes | None = None,
) -> Imported:
    """Install a weights file, the concatenated `chunks`, in `folder`, which is one of those of `library`.

    `chunks` must not raise OSError. `card` and `page` are the contents of the .toml and the .md beside the
    file; `name` replaces that on the card; `sha256` (lowercase hex) is compared first. Importing the same
    bytes under the same name again only repairs a damaged copy.

    Raises:
        WeightsMismatch: the sha256 of the bytes is not `sha256` or that on the card.
        ModelRefused: the model cannot be run or is too large, or its name is taken or not allowed.
        NoSpace, OutputUnavailable: the folder cannot be written to.
    """
    if name is not None:
        _require_name(name)
    with _locked(folder), atomic_write.writing_to(folder), atomic_write.draft(folder / "import") as draft:
        found = _receive(chunks, draft)
        if sha256 is not None and not hmac.compare_digest(found, sha256):
            raise WeightsMismatch(
                reason=f"the file has sha256 {found}, not {sha256}",
                remedy="get the file again, or the correct checksum from its source",
            )
        offered = read_offered_card(draft, found, card, name)
        known = _require_free(offered, folder, library)
        if known is not None and known.folder != folder:
            verify_model(known)
        if known is not None and not _damaged(known):
            return Imported(known, new=False)
        from restoration.generators.models.import_checks import require_runnable  # noqa: PLC0415  (torch takes seconds)

        require_runnable(offered, draft)
        _install(replace(offered, folder=folder), draft, page)
    return Imported(read_card(folder / f"{offered.name}.toml"), new=known is None)


def try_model(card: ModelCard) -> None:
    """Compare the weights of a model with its card, and let it color a small picture.

    Raises WeightsMismatch, ModelRefused.
    """
    from restoration.generators.models.import_checks import require_runnable  # noqa: PLC0415  (torch takes seconds)

    verify_model(card)
    require_runnable(card, weights_path(card))


def remove_model(name: str, folder: Path) -> int:
    """Remove a model from `folder`, even one with an invalid card, and return the number of bytes freed.

    Raises UnknownModel if the folder has no model of this name.
    """
    card = folder / f"{name}.toml"
    if not NAME.fullmatch(name) or not card.is_file():
        raise UnknownModel(reason=f"no imported model is named {name!r}", remedy="run `saek models`")
    try:
        weights = weights_path(read_card(card))
    except ModelError:
        weights = folder / f"{name}.safetensors"
    freed = 0
    with _locked(folder):
        for path in (card, folder / f"{name}.md", weights):  # the card first: without it nothing is listed
            if path.is_file():
                freed += path.stat().st_size
                path.unlink()
    return freed


def export_model(card: ModelCard, to: Path) -> tuple[Path, ...]:
    """Copy weights, card and page of a model into a folder, byte for byte, and return the paths.

    Raises WeightsMismatch if the weights are damaged, OutputExists if a different file is in the way,
    NoSpace, OutputUnavailable.
    """
    verify_model(card)
    sources = (weights_path(card), page_path(card), card.folder / f"{card.name}.toml")
    made = []
    with atomic_write.writing_to(to):
        to.mkdir(parents=True, exist_ok=True)
    for source in filter(Path.is_file, sources):
        out = to / source.name
        if os.path.lexists(out) and not _same(source, out):
            raise OutputExists(
                reason="another file is there", remedy="choose another folder or move it away", path=out
            )
        with atomic_write.replacing(out) as draft:
            shutil.copyfile(source, draft)
        made.append(out)
    return tuple(made)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lock the folder, and remove the drafts of killed imports."""
    with atomic_write.writing_to(folder):
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ModelRefused(
                reason="another import or removal is in progress",
                remedy="wait until it has finished",
                path=folder,
            ) from None
        for stale in folder.glob(".*.part"):
            stale.unlink(missing_ok=True)
        yield
    finally:
        os.close(lock)


def _receive(chunks: Iterable[bytes], draft: Path) -> str:
    """Write the chunks and return their sha256."""
    digest, size = hashlib.sha256(), 0
    with draft.open("wb") as file:
        for chunk in chunks:
            size += len(chunk)
            if size > MAX_WEIGHTS_BYTES:
                raise ModelRefused(
                    reason=f"it is larger than {MAX_WEIGHTS_BYTES:,} bytes",
                    remedy="check that it is the weights file of a model",
                )
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()


def _require_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise ModelRefused(
            reason=f"{name!r} is not a valid model name",
            remedy="take a-z, 0-9, dot, dash and underscore, at most 64, a letter or digit first",
        )


def _require_free(offered: ModelCard, folder: Path, library: Library) -> ModelCard | None:
    """Return the installed model with these weights, None if the name is free; else raise ModelRefused."""
    try:
        known = model_card(offered.name, library)
    except UnknownModel:
        return None
    if known.weights == offered.weights:
        return known
    if known.folder == folder:
        reason, remedy = "is installed", f"or remove that one first (`saek models remove {offered.name}`)"
    else:
        reason, remedy = "comes with Saek", "since a shipped model cannot be replaced"
    raise ModelRefused(
        reason=f"another model named {offered.name} {reason}",
        remedy=f"choose another name (--name), {remedy}",
    )


def _damaged(card: ModelCard) -> bool:
    try:
        verify_model(card)
    except WeightsMismatch:
        return True
    return False


def _install(card: ModelCard, draft: Path, page: bytes | None) -> None:
    atomic_write.publish(draft, weights_path(card))
    if page is not None:
        atomic_write.write_file(page_path(card), page[:MAX_PAGE_BYTES])
    atomic_write.write_file(card.folder / f"{card.name}.toml", card_toml(card).encode())


def _same(one: Path, other: Path) -> bool:
    return other.is_file() and atomic_write.digest(one) == atomic_write.digest(other)
