"""`saek restore`: color single files at once, without queue or record."""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.context import settings_and_logs
from worker.cli.options import Device, Engine, Json
from worker.cli.output_plan import (
    PlannedOutput,
    format_by_extension,
    is_stdio,
    names_one_file,
    output_path,
    plan_outputs,
    refuse_overwriting,
)
from worker.cli.recipe_options import (
    FormatOption,
    Model,
    PresetOption,
    Pyramid,
    Strength,
    Warmth,
    recipe_facts,
    recipe_from_options,
)
from worker.cli.restore_report import Outcome, outcome_facts, print_outcomes, worst_exit
from worker.cli.scans import find_scans
from worker.cli.stdio import refuse_terminal, spool_stdin, write_to_stdout
from worker.console import err, progress_bar, write_json
from worker.exits import Exit
from worker.printable import printable
from worker.settings import Settings

if TYPE_CHECKING:
    from restoration import Progress, Recipe, Restoration


def restore(
    *,
    masters: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE", help="Scans, or folders of scans; - is standard input.", show_default=False
        ),
    ],
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="File to write (.tif, .png, .jpg), or a folder; several scans need a folder. "
            "- is standard output.",
            show_default=False,
        ),
    ],
    model: Model = None,
    preset: PresetOption = None,
    strength: Strength = None,
    warmth: Warmth = None,
    format: FormatOption = None,  # noqa: A002  (the name of the option)
    pyramid: Pyramid = None,
    engine: Engine = None,
    device: Device = None,
    confidence: Annotated[
        bool,
        typer.Option(
            "--confidence",
            help="Also write NAME.confidence.png, a map of the confidence: black is 0, white is 1.",
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace existing files.")] = False,
    skip_existing: Annotated[
        bool,
        typer.Option("--skip-existing", help="Skip scans whose derivative exists, to resume a long run."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write nothing; show what would be made and what is refused.")
    ] = False,
    json: Json = False,
) -> None:
    """Color scans at once, with the same pixels that a station would make.

    A scan that cannot be restored is refused with the reason; the others are still restored.
    """
    settings = settings_and_logs()
    destination = output_path(masters, output)
    if force and skip_existing:
        raise typer.BadParameter("--force and --skip-existing cannot be combined")
    piped, streamed = any(map(is_stdio, masters)), is_stdio(destination)
    if piped and len(masters) > 1:
        raise typer.BadParameter("standard input holds one picture; use another command for the other scans")
    if streamed:
        if len(masters) > 1 or masters[0].is_dir():
            raise typer.BadParameter("standard output takes one picture; several scans need a folder")
        if json or confidence:
            raise typer.BadParameter("standard output takes only the picture: no --json, no --confidence")
        refuse_terminal()
    single = names_one_file(masters, destination)
    recipe = recipe_from_options(
        settings,
        model=model,
        preset=preset,
        strength=strength,
        warmth=warmth,
        format=format_by_extension(destination) if format is None and single else format,
        pyramid=pyramid,
    )
    with tempfile.TemporaryDirectory(prefix="saek-") as scratch:
        if piped:
            masters = [spool_stdin(Path(scratch))]
        folder = Path(scratch) / "out" if streamed else destination
        found = find_scans(masters, folder)
        items = plan_outputs(found, folder, recipe.format.suffix, single=single, with_confidence=confidence)
        items = [replace(item, piped=piped) for item in items]
        refuse_overwriting(items, force=force or dry_run or skip_existing)
        outcomes = _existing_outputs(items, recipe) if skip_existing else {}
        due = [item for item in items if item not in outcomes]
        if dry_run:
            outcomes |= {item: _plan(item, recipe, settings) for item in due}
        else:
            options = {"engine": engine or settings.engine, "device": device or settings.device}
            outcomes |= _restore_all(due, recipe, settings.model_copy(update=options))
        ordered = [outcomes[item] for item in items]
        if streamed and not dry_run and ordered[0].made is not None:
            write_to_stdout(ordered[0].made.path)
    if json:
        write_json(
            {
                "dry_run": dry_run,
                "recipe": recipe_facts(recipe),
                "files": [outcome_facts(one) for one in ordered],
                "sidecars": found.sidecars,
                "unread": [{"folder": printable(path), "reason": why} for path, why in found.unread],
            }
        )
    else:
        print_outcomes(ordered, found, streamed=streamed and not dry_run)
    code = worst_exit(ordered, found)
    if code is not Exit.OK:
        raise typer.Exit(code)


def _existing_outputs(items: Sequence[PlannedOutput], recipe: "Recipe") -> dict[PlannedOutput, Outcome]:
    """Return the outcome of each item whose files exist: skipped, or refused if another file has their name.

    An item that lacks one of its files is restored again if the other is of this master and recipe.
    """
    from restoration import OutputExists, read_disclosure

    outcomes: dict[PlannedOutput, Outcome] = {}
    for item in items:
        labels = {path: read_disclosure(path) for path in item.files if path.exists()}
        foreign = next((path for path, label in labels.items() if "masterSha256" not in label), None)
        if foreign is not None:
            fault = OutputExists(
                reason=f"{printable(foreign.name)} exists and is not a derivative",
                remedy="choose another output, or move the file away",
            )
            outcomes[item] = Outcome(item, fault=fault)
        elif len(labels) < len(item.files):
            other = _other_derivative(labels, item.master, recipe)
            if other is not None:
                fault = OutputExists(
                    reason=f"{printable(other.name)} exists and was made from another master or recipe",
                    remedy="choose another output, or use --force to replace it",
                )
                outcomes[item] = Outcome(item, fault=fault)
        elif any(label.get("recipeFingerprint") != recipe.fingerprint() for label in labels.values()):
            outcomes[item] = Outcome(item, skipped="exists, made by another recipe; --force makes it again")
        else:
            outcomes[item] = Outcome(item, skipped="exists")
    return outcomes


def _other_derivative(files: Mapping[Path, object], master: Path, recipe: "Recipe") -> Path | None:
    """Return the first of the files that was not made from this master by this recipe."""
    from worker.outbox.paths import belongs_to_another

    if not files:
        return None
    try:
        with master.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None  # restoring refuses the master before anything is replaced
    return next((path for path in files if belongs_to_another(path, sha256, recipe.fingerprint())), None)


def _plan(item: PlannedOutput, recipe: "Recipe", settings: Settings) -> Outcome:
    from restoration import ModelError, identify, plan
    from worker.models.library import library_from
    from worker.recipes import limits_from

    try:
        facts = identify(item.master, limits_from(settings))
        with_confidence = item.confidence is not None
        planned = plan(facts, recipe, library_from(settings), with_confidence=with_confidence)
        return Outcome(item, planned=planned)
    except ModelError:
        raise
    except Exception as error:  # noqa: BLE001  (one scan must not stop the others)
        return Outcome(item, fault=error)


def _restore_all(
    items: Sequence[PlannedOutput], recipe: "Recipe", settings: Settings
) -> dict[PlannedOutput, Outcome]:
    """Restore one item after the other; the failure of one does not stop the others.

    Raises restoration.ModelError: no scan could be restored.
    """
    from restoration import ModelError

    outcomes = {}
    with _progress(len(items)) as listener:
        for item in items:
            try:
                outcomes[item] = Outcome(item, made=_restore(item, recipe, settings, listener(item.master)))
            except ModelError:
                raise
            except Exception as error:  # noqa: BLE001  (one scan must not stop the others)
                outcomes[item] = Outcome(item, fault=error)
    return outcomes


def _restore(
    item: PlannedOutput, recipe: "Recipe", settings: Settings, listener: Callable[["Progress"], None]
) -> "Restoration":
    from restoration import Compute, Input, Output, publish_draft, restore_draft
    from worker.models.library import open_model
    from worker.outbox.paths import work_draft
    from worker.recipes import limits_from

    master = Input(item.master, limits=limits_from(settings))
    compute = Compute(threads=settings.threads, model=open_model(settings, recipe.model))
    work = f"restore{os.getpid()}"
    with ExitStack() as drafts:
        draft, *map_draft = (
            drafts.enter_context(work_draft(path, f"{work}.{place}")) for place, path in enumerate(item.files)
        )
        unfinished = Output(draft, next(iter(map_draft), None))
        made = restore_draft(master, recipe, unfinished, compute, listener)
        return publish_draft(made, Output(item.output, item.confidence))


@contextmanager
def _progress(files: int) -> Iterator[Callable[[Path], Callable[["Progress"], None]]]:
    """Yield a function that begins the next master and returns its progress listener."""
    with progress_bar(err()) as bar:
        task = bar.add_task("", name="", stage="", total=None)
        number = 0

        def watch(master: Path) -> Callable[["Progress"], None]:
            nonlocal number
            number += 1
            name = printable(master.name) if files == 1 else f"{number} of {files}  {printable(master.name)}"
            stage = ""

            def listen(progress: "Progress") -> None:
                nonlocal stage
                if progress.stage != stage:
                    stage = progress.stage.value
                    bar.reset(task, total=progress.total, name=name, stage=stage)
                bar.update(task, completed=progress.done, total=progress.total)

            return listen

        yield watch
