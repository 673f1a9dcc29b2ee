"""The one door to the pixels: from a master and a recipe to a proven derivative, or to nothing at all."""

import datetime as dt
import hashlib
import importlib.metadata
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from restoration import atomic_write
from restoration.arrays import ordered_map
from restoration.arrays.luma import Float, adjust_chroma
from restoration.colorize.guided_filter import Upsampler
from restoration.colorize.inference import ChromaField, colorize
from restoration.colorize.plan import count_windows, guide_side
from restoration.colorize.predicted_error import ERROR_PASSES, confidence
from restoration.colorize.seam_metrics import seamlessness
from restoration.derivatives import confidence_map, publish, technical_report, verification, writer, xmp
from restoration.derivatives.carried_metadata import outside_xmp
from restoration.derivatives.compose import Canvas, Painting, Proof
from restoration.derivatives.icc_profile import rgb_profile
from restoration.derivatives.jpeg import MAX_SIDE
from restoration.derivatives.tone_adaptation import Appearance
from restoration.derivatives.verified_deflate import mismatch
from restoration.errors import ImageTooLarge, OutOfMemory, RecipeOutdated, WeightsMismatch
from restoration.generators.loaded_model import LoadedModel, load_model
from restoration.generators.models import SHIPPED_ONLY, Library, default_model, model_card
from restoration.masters import monochrome
from restoration.masters.decoder_agreement import ReferenceDigests
from restoration.masters.facts import Limits, ScanFacts, Tone
from restoration.masters.metadata import embedded
from restoration.masters.safe_open import FileIdentity
from restoration.masters.sandbox import MasterOverview, shared_reader
from restoration.masters.strips import Master, RowListener, Strip
from restoration.masters.tone_profile import ToneProfile
from restoration.recipe import ALGORITHM, OutputFormat, Preset, Recipe
from restoration.results import (
    ConfidenceMap,
    MetadataReport,
    Plan,
    Progress,
    ProgressListener,
    Restoration,
    Seamlessness,
    Stage,
)

_NO_TAGS: Mapping[str, str] = MappingProxyType({})
_DEFAULT_LIMITS = Limits()


def recipe_for(
    model: str | None = None,
    *,
    preset: Preset = Preset.BALANCED,
    strength: float = 1.0,
    warmth: float = 0.0,
    format: OutputFormat = OutputFormat.TIFF,  # noqa: A002 - the recipe's own word
    quality: int = 92,
    pyramid: bool = False,
    library: Library = SHIPPED_ONLY,
) -> Recipe:
    """Return the recipe that follows an installed model, the default one if none is named.

    Raises UnknownModel, or ValueError if a value is out of range.
    """
    card = default_model(library) if model is None else model_card(model, library)
    return Recipe(card.name, card.weights, preset, strength, warmth, format, quality, pyramid)


def plan(
    facts: ScanFacts, recipe: Recipe, library: Library = SHIPPED_ONLY, *, with_confidence: bool = False
) -> Plan:
    """Return what the restoration of a master would cost. Raises UnknownModel."""
    card = model_card(recipe.model, library)
    width, height = facts.upright_size
    windows = count_windows(height, width, recipe.preset, card.input_spec)
    lossless = recipe.format.lossless
    canvas = writer.canvas_of(facts, recipe)
    size = canvas.raw_bytes if lossless else canvas.raw_bytes * recipe.quality // 200
    size += size // 3 * recipe.pyramid
    return Plan(windows + ERROR_PASSES * with_confidence, facts.pixels, size)


def restore(
    master: Path,
    recipe: Recipe,
    out: Path,
    *,
    progress: ProgressListener | None = None,
    limits: Limits = _DEFAULT_LIMITS,
    device: str = "auto",
    engine: str = "auto",
    expected_sha256: str | None = None,
    tags: Mapping[str, str] = _NO_TAGS,
    loaded: LoadedModel | None = None,
    confidence: Path | None = None,
    library: Library = SHIPPED_ONLY,
    threads: int | None = None,
) -> Restoration:
    """Color `master` by `recipe` into `out`, which appears whole and proven or not at all.

    An `out` that is already there is replaced only if it is a derivative of the same master by the same
    recipe (a job that was killed after its work and is done again). `loaded` is a model held open already;
    without it the model is looked for in `library`, and opened in the `engine` on the `device`. `threads`
    paint and compress beside the one that decodes and writes; by default one a core, at most four.

    `confidence` asks for a map of how much the predicted colors can be trusted: a gray PNG of the picture at
    the size that its colors were inferred at, 1536 pixels on the longer side or fewer (4096 for the preset
    native). It gets its name just before `out` does, under the same condition, and changes no pixel of it.

    The master is read for the first time by a process of its own, within `limits`.

    Raises MasterError, ReaderFailed, ModelError, Transient, OutputExists, LumaMismatch, ValueError if both
    paths are one, or whatever `progress` raises; then nothing is left behind and the master was only read.
    """
    if confidence == out:
        raise ValueError("the confidence needs a file of its own")
    try:
        model = loaded or load_model(model_card(recipe.model, library), device, engine=engine)
        return _Work(master, recipe, out, confidence, progress, limits, tags, threads).run(
            model, expected_sha256
        )
    except MemoryError as error:
        raise OutOfMemory(
            reason="main memory did not suffice", remedy="free some; work goes on by itself", path=master
        ) from error


@dataclass(slots=True)
class _Clock:
    """Seconds by stage."""

    seconds: dict[str, float]

    @contextmanager
    def measure(self, stage: Stage) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds[stage.value] = round(time.perf_counter() - began, 3)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the first reading of a master found."""

    scan: Master
    samples_sha256: bytes
    """Of the master's samples as they are stored."""
    reference: ReferenceDigests
    notes: tuple[str, ...]
    """What was odd about the master."""
    tone: Tone
    field: ChromaField
    seamlessness: Seamlessness
    upsampler: Upsampler
    tone_profile: ToneProfile
    confidence: Float | None
    """(h, w) of the overview, None if nobody asked for it."""


@dataclass(frozen=True, slots=True)
class _Work:
    """One restoration."""

    master: Path
    recipe: Recipe
    out: Path
    map_out: Path | None
    progress: ProgressListener | None
    limits: Limits
    tags: Mapping[str, str]
    threads: int | None

    def run(self, model: LoadedModel, expected_sha256: str | None) -> Restoration:
        clock, reader = _Clock({}), shared_reader()
        self._require_recipe(model)
        with clock.measure(Stage.READ):
            if expected_sha256 is None:  # what is no picture need not be read to its end
                reader.identify(self.master, self.limits)
            witness = FileIdentity.read(self.master, self._hashing)
            witness.require_sha256(expected_sha256)
            facts = reader.identify(self.master, self.limits)
            self._require_room(facts)
            for path in filter(None, (self.out, self.map_out)):
                publish.require_replaceable(path, self.master, witness.sha256, self.recipe.fingerprint())
            scan = Master(self.master, facts, self.out.parent)
            side = guide_side(self.recipe.preset, facts.height, facts.width)
            seen = reader.overview(self.master, self.limits, side, self.out.parent, self._rows(Stage.READ))
            if seen.facts != facts:
                raise witness.change_error("its header changed during the work")
            tone = monochrome.measure_tone(seen.planes)
            monochrome.require_monochrome(tone, self.master)
        with clock.measure(Stage.COLOR):
            known = self._color(scan, tone, seen, model)
            canvas = writer.canvas_of(facts, self.recipe)
        with ExitStack() as drafts:
            unfinished = drafts.enter_context(atomic_write.draft(self.out))
            map_draft = drafts.enter_context(atomic_write.draft(self.map_out)) if self.map_out else None
            with clock.measure(Stage.WRITE):
                report, proof = self._write(unfinished, known, witness, canvas)
                trust = self._draw(map_draft, known, witness)
            with clock.measure(Stage.VERIFY):
                measured = self._verify(unfinished, known, canvas, proof)
                witness.require_unchanged()
                size, digest = atomic_write.digest(unfinished)
            if map_draft and self.map_out:
                atomic_write.publish(map_draft, self.map_out)
            atomic_write.publish(unfinished, self.out)
        decoders = min(known.reference.decoders, measured.decoders)
        return Restoration(
            path=self.out,
            format=self.recipe.format,
            width=canvas.width,
            height=canvas.height,
            bit_depth=canvas.bits,
            bytes=size,
            sha256=digest,
            pixel_sha256=measured.pixel_sha256,
            luma_max_error=measured.luma_max_error,
            luma_mean_error=measured.luma_mean_error,
            master_sha256=witness.sha256,
            master_facts=facts,
            tone=tone,
            stretch=known.field.stretch,
            windows=known.field.windows,
            seamlessness=known.seamlessness,
            seconds=clock.seconds,
            model=self.recipe.model,
            weights=self.recipe.weights,
            recipe_fingerprint=self.recipe.fingerprint(),
            engine=model.engine.name,
            software=software(),
            metadata=technical_report.with_decoders(report, decoders),
            decoders=decoders,
            confidence=trust,
        )

    def _color(self, scan: Master, tone: Tone, seen: MasterOverview, model: LoadedModel) -> _Seen:
        luminance = monochrome.luminance_plane(seen.planes)
        tell, looks = self._rows(Stage.COLOR), ERROR_PASSES if self.map_out else 0
        field = colorize(
            luminance,
            self.recipe.preset,
            model.spec,
            model.engine,
            lambda done, windows: tell(done, windows + looks),
        )
        trust = None
        if self.map_out:
            trust = confidence(
                luminance,
                field.chroma,
                model.spec,
                model.engine,
                lambda done, _: tell(field.windows + done, field.windows + looks),
            )
        width, height = scan.facts.upright_size
        chroma, palette = (
            adjust_chroma(one, self.recipe.strength, self.recipe.warmth)
            for one in (field.chroma, field.palette)
        )
        upsampler = Upsampler.solve(chroma, luminance, height, width)
        seamless = seamlessness(field, luminance, upsampler.over(luminance), palette)
        return _Seen(
            scan,
            seen.samples_sha256,
            seen.reference,
            seen.notes,
            tone,
            field,
            seamless,
            upsampler,
            seen.tone_profile,
            trust,
        )

    def _write(
        self, path: Path, seen: _Seen, witness: FileIdentity, canvas: Canvas
    ) -> tuple[MetadataReport, Proof | None]:
        facts = seen.scan.facts
        about = embedded.read_metadata(self.master, facts)
        jpeg = self.recipe.format is OutputFormat.JPEG
        most = xmp.MAX_JPEG_BYTES if jpeg else xmp.MOST_BYTES
        packet, report = xmp.packet(self._provenance(witness, seen.tone), about, most)
        dpi = facts.dpi[::-1] if facts.dpi and facts.orientation >= 5 else facts.dpi
        curve = seen.tone_profile.curve
        profile = rgb_profile(curve, canvas.bits) if curve else writer.srgb_profile()
        label = writer.Label(packet, dpi, software(), outside_xmp(about), profile)
        appearance = Appearance.of(curve, canvas.dtype) if curve else None
        painting = Painting(
            canvas, seen.upsampler, self._strips(seen, self._rows(Stage.WRITE)), self._lanes, appearance
        )
        proof = writer.write(path, painting, self.recipe, label)
        told = technical_report.completed(
            report, facts, self.recipe, canvas, seen.tone_profile, notes=seen.notes
        )
        return told, proof

    def _draw(self, path: Path | None, seen: _Seen, witness: FileIdentity) -> ConfidenceMap | None:
        if path is None or self.map_out is None or seen.confidence is None:
            return None
        drawn = confidence_map.write(path, seen.confidence, self._provenance(witness, seen.tone))
        return replace(drawn, path=self.map_out)

    def _strips(self, seen: _Seen, listener: RowListener | None = None) -> Iterator[Strip]:
        """Read the master again: the same samples that two decoders have seen. Raises LumaMismatch."""
        again = hashlib.sha256()
        _, rows = seen.scan.facts.upright_size
        for strip in seen.scan.strips(again):
            yield strip
            if listener:
                listener(strip.top + len(strip.gray), rows)
        if again.digest() != seen.samples_sha256:
            raise mismatch("the master, read again, did not give the same samples")

    def _verify(self, path: Path, seen: _Seen, canvas: Canvas, proof: Proof | None) -> verification.Measured:
        listener = self._rows(Stage.VERIFY)
        if proof:
            return verification.confirm(
                path, canvas, proof, seen.reference, threads=self._lanes, listener=listener
            )
        measured = verification.measure(path, self._strips(seen), canvas.height, listener)
        publish.settle_luma_error(path, measured.luma_max_error, measured.luma_mean_error)
        return measured

    @property
    def _lanes(self) -> int:
        """How many threads work side by side."""
        return self.threads or ordered_map.usual_threads()

    def _provenance(self, witness: FileIdentity, tone: Tone) -> xmp.Provenance:
        return xmp.Provenance(
            master_name=self.master.name.encode("utf-8", "backslashreplace").decode(),
            master_sha256=witness.sha256,
            model=self.recipe.model,
            weights=self.recipe.weights,
            recipe_fingerprint=self.recipe.fingerprint(),
            strength=self.recipe.strength,
            warmth=self.recipe.warmth,
            software=software(),
            tone=tone,
            lossless=self.recipe.format.lossless,
            made=dt.datetime.now(dt.UTC),
            tags=self.tags,
        )

    def _hashing(self, done: int, total: int) -> None:
        """Give whoever listens the chance to stop a long reading; rows are counted afterwards."""
        if self.progress and done < total:
            self.progress(Progress(Stage.READ, 0, 1))

    def _rows(self, stage: Stage) -> RowListener:
        def tell(done: int, total: int) -> None:
            if self.progress:
                self.progress(Progress(stage, done, total))

        return tell

    def _require_recipe(self, model: LoadedModel) -> None:
        if self.recipe.algorithm != ALGORITHM:
            raise RecipeOutdated(
                reason=f"the recipe is of version {self.recipe.algorithm} of the pixel code, "
                f"installed is version {ALGORITHM}",
                remedy="make a new recipe (saek reprocess), or install the version that made this one",
            )
        if model.weights != self.recipe.weights:
            raise WeightsMismatch(
                reason=f"the recipe asks for weights {self.recipe.weights[:12]}… of the model "
                f"{self.recipe.model}, installed are {model.weights[:12]}…",
                remedy="install the version of Saek that the recipe was made with, or make a new recipe",
            )

    def _require_room(self, facts: ScanFacts) -> None:
        if self.recipe.format is OutputFormat.JPEG and max(facts.width, facts.height) > MAX_SIDE:
            raise ImageTooLarge(
                reason=f"a JPEG is at most {MAX_SIDE} pixels wide and high",
                remedy="choose TIFF or PNG",
                path=self.master,
            )


def software() -> str:
    """Return name and version of this software."""
    return f"Saek {importlib.metadata.version('saek')}"
