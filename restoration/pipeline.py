"""Restore one master into a verified derivative."""

import datetime as dt
import hashlib
import importlib.metadata
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from restoration import atomic_write
from restoration.arrays import ordered_map
from restoration.colorize.plan import guide_side
from restoration.colorize.predicted_colors import predict_colors
from restoration.derivatives import confidence_map, disclosure, technical_metadata, verification, writer, xmp
from restoration.derivatives.compose import Composition
from restoration.derivatives.file_metadata import file_metadata
from restoration.derivatives.jpeg import MAX_SIDE
from restoration.derivatives.tone_adaptation import ToneTables
from restoration.derivatives.verified_deflate import luma_mismatch
from restoration.errors import ImageTooLarge, OutOfMemory, RecipeOutdated, WeightsMismatch
from restoration.generators.loaded_model import LoadedModel
from restoration.masters import monochrome
from restoration.masters.facts import ScanFacts, Tone
from restoration.masters.safe_open import FileIdentity
from restoration.masters.sandbox import MasterOverview, shared_reader
from restoration.masters.strips import Master, RowListener, Strip
from restoration.progress import StageRecorder
from restoration.recipe import ALGORITHM, OutputFormat, Recipe
from restoration.request import Compute, Input, Output
from restoration.results import ProgressListener, Restoration, Stage

_HERE: Final = Compute()


def restore(
    source: Input,
    recipe: Recipe,
    output: Output,
    compute: Compute = _HERE,
    progress: ProgressListener | None = None,
) -> Restoration:
    """Color a master by a recipe into `output`, whose files appear whole and verified or not at all.

    A file that is already there is replaced only if it was made of the same master by the same recipe, as by
    a job that was killed after its work and runs again. The confidence map gets its name just before the
    derivative does.

    Raises MasterError, ReaderFailed, ModelError, Transient, OutputExists, LumaMismatch, or whatever
    `progress` raises; then nothing is left behind.
    """
    with _told_of(source), ExitStack() as stack:
        work = _open(source, recipe, compute, progress)
        for path in output.files:
            disclosure.require_replaceable(path, source.path, work.identity.sha256, recipe.fingerprint())
        draft = Output(
            stack.enter_context(atomic_write.draft(output.path)),
            output.confidence and stack.enter_context(atomic_write.draft(output.confidence)),
            output.tags,
        )
        made = _derive(work, draft)
        return publish_draft(made, output)


def publish_draft(made: Restoration, output: Output) -> Restoration:
    """Give the files of a restoration their names, the confidence map first, and return it with them.

    Raises NoSpace, OutputUnavailable.
    """
    mapped = made.confidence
    if mapped is not None and output.confidence is not None:
        atomic_write.publish(mapped.path, output.confidence)
        mapped = replace(mapped, path=output.confidence)
    atomic_write.publish(made.path, output.path)
    return replace(made, path=output.path, confidence=mapped)


def restore_draft(
    source: Input,
    recipe: Recipe,
    draft: Output,
    compute: Compute = _HERE,
    progress: ProgressListener | None = None,
) -> Restoration:
    """Do as `restore`, but straight into the files of `draft`: to publish or remove them is up to the caller.

    After an error they may be incomplete. Raises as `restore`, but for OutputExists.
    """
    with _told_of(source):
        return _derive(_open(source, recipe, compute, progress), draft)


@dataclass(frozen=True, slots=True)
class _Work:
    """A master that was opened, and what it is restored with."""

    source: Input
    recipe: Recipe
    model: LoadedModel
    threads: int
    identity: FileIdentity
    facts: ScanFacts
    stages: StageRecorder


def _open(source: Input, recipe: Recipe, compute: Compute, progress: ProgressListener | None) -> _Work:
    """Open the model and the master, and check that the recipe can be followed."""
    model = compute.open_model(recipe.model)
    _require_recipe(recipe, model)
    stages = StageRecorder(progress)

    def hashed(done: int, total: int) -> None:
        if done < total:  # a chance to stop a long reading; rows are counted afterwards
            stages.report(Stage.READ, 0, 1)

    with stages.stage(Stage.READ):
        reader = shared_reader()
        if source.sha256 is None:  # a file that is not a picture need not be read to its end
            reader.identify(source.path, source.limits)
        identity = FileIdentity.read(source.path, hashed)
        identity.require_sha256(source.sha256)
        facts = reader.identify(source.path, source.limits)
    if recipe.format is OutputFormat.JPEG and max(facts.width, facts.height) > MAX_SIDE:
        raise ImageTooLarge(
            reason=f"a JPEG is at most {MAX_SIDE} pixels wide and high",
            remedy="choose TIFF or PNG",
            path=source.path,
        )
    threads = compute.threads or ordered_map.usual_threads()
    return _Work(source, recipe, model, threads, identity, facts, stages)


def _derive(work: _Work, draft: Output) -> Restoration:
    """Examine, colorize, compose, write and verify."""
    recipe, facts, stages = work.recipe, work.facts, work.stages
    master = Master(work.source.path, facts, draft.path.parent)
    with stages.stage(Stage.READ) as listener:
        seen, tone = _examine(work, master.scratch, listener)
    with stages.stage(Stage.COLOR) as listener:
        colors = predict_colors(
            monochrome.luminance_plane(seen.planes),
            facts.upright_size,
            recipe,
            work.model,
            listener,
            with_confidence=draft.confidence is not None,
        )
    spec, curve = writer.image_spec(facts, recipe), seen.tone_profile.curve
    provenance = _provenance(work, tone, draft)
    with atomic_write.writing_to(draft.path.parent):
        with stages.stage(Stage.WRITE) as listener:
            metadata, report = file_metadata(master.path, facts, curve, provenance, recipe.format)
            strips = _read_again(master, seen.samples_sha256, listener)
            tone_tables = ToneTables.for_curve(curve, spec.dtype) if curve else None
            composition = Composition(spec, colors.upsampler, strips, work.threads, tone_tables)
            expected = writer.write(draft.path, composition, recipe, metadata)
            mapped = None
            if draft.confidence is not None and colors.confidence is not None:
                mapped = confidence_map.write(draft.confidence, colors.confidence, provenance)
        with stages.stage(Stage.VERIFY) as listener:
            if expected:
                measured = verification.verify_lossless(
                    draft.path, spec, expected, seen.reference, threads=work.threads, listener=listener
                )
            else:
                strips = _read_again(master, seen.samples_sha256)
                measured = verification.measure_lossy(draft.path, strips, spec.height, listener)
                disclosure.write_luma_error(draft.path, measured.luma_max_error, measured.luma_mean_error)
            work.identity.require_unchanged()
            size, sha256 = atomic_write.digest(draft.path)
    decoders = min(seen.reference.decoders, measured.decoders)
    report = technical_metadata.add_technical_metadata(
        report, facts, recipe, spec, seen.tone_profile, notes=seen.notes
    )
    return Restoration(
        path=draft.path,
        format=recipe.format,
        width=spec.width,
        height=spec.height,
        bit_depth=spec.bits,
        bytes=size,
        sha256=sha256,
        pixel_sha256=measured.pixel_sha256,
        luma_max_error=measured.luma_max_error,
        luma_mean_error=measured.luma_mean_error,
        master_sha256=work.identity.sha256,
        master_facts=facts,
        tone=tone,
        stretch=colors.stretch,
        windows=colors.windows,
        seamlessness=colors.seamlessness,
        seconds=stages.seconds,
        model=recipe.model,
        weights=recipe.weights,
        recipe_fingerprint=recipe.fingerprint(),
        engine=work.model.engine.name,
        software=software(),
        metadata=technical_metadata.note_decoders(report, decoders),
        decoders=decoders,
        confidence=mapped,
    )


def _examine(work: _Work, scratch: Path, listener: RowListener) -> tuple[MasterOverview, Tone]:
    """Read all pixels once, in the sandbox, by two decoders; raise MasterError unless they are monochrome."""
    side = guide_side(work.recipe.preset, work.facts.height, work.facts.width)
    seen = shared_reader().overview(work.source.path, work.source.limits, side, scratch, listener)
    if seen.facts != work.facts:
        raise work.identity.change_error("its header changed during the work")
    tone = monochrome.measure_tone(seen.planes)
    monochrome.require_monochrome(tone, work.source.path)
    return seen, tone


def _provenance(work: _Work, tone: Tone, draft: Output) -> xmp.Provenance:
    return xmp.Provenance(
        master_name=work.source.path.name.encode("utf-8", "backslashreplace").decode(),
        master_sha256=work.identity.sha256,
        model=work.recipe.model,
        weights=work.recipe.weights,
        recipe_fingerprint=work.recipe.fingerprint(),
        strength=work.recipe.strength,
        warmth=work.recipe.warmth,
        software=software(),
        tone=tone,
        lossless=work.recipe.format.lossless,
        made=dt.datetime.now(dt.UTC),
        tags=draft.tags,
    )


def _read_again(
    master: Master, samples_sha256: bytes, listener: RowListener | None = None
) -> Iterator[Strip]:
    """Yield the strips of a master; raise LumaMismatch unless they are the samples that were examined."""
    again = hashlib.sha256()
    _, rows = master.facts.upright_size
    for strip in master.strips(again):
        yield strip
        if listener:
            listener(strip.top + len(strip.gray), rows)
    if again.digest() != samples_sha256:
        raise luma_mismatch("the master, read again, gave other samples")


def _require_recipe(recipe: Recipe, model: LoadedModel) -> None:
    """Raise RecipeOutdated or WeightsMismatch unless this installation can follow the recipe."""
    if recipe.algorithm != ALGORITHM:
        raise RecipeOutdated(
            reason=f"the recipe is for version {recipe.algorithm} of the pixel code, "
            f"version {ALGORITHM} is installed",
            remedy="make a new recipe (`saek reprocess`), or install the version that made this one",
        )
    if model.weights != recipe.weights:
        raise WeightsMismatch(
            reason=f"the recipe asks for weights {recipe.weights[:12]}… of the model "
            f"{recipe.model}, {model.weights[:12]}… are installed",
            remedy="install the version of Saek that the recipe was made with, or make a new recipe",
        )


@contextmanager
def _told_of(source: Input) -> Iterator[None]:
    """Turn a MemoryError of the body into OutOfMemory."""
    try:
        yield
    except MemoryError as error:
        raise OutOfMemory(
            reason="not enough memory",
            remedy="free some memory; work continues automatically",
            path=source.path,
        ) from error


def software() -> str:
    """Return name and version of this software."""
    return f"Saek {importlib.metadata.version('saek')}"
