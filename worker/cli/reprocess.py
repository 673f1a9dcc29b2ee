"""`saek reprocess`: queue recorded files for another recipe."""

from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.context import current_user, open_record, settings_and_logs
from worker.cli.options import All, Collections, Files, Json, Since, States, Until
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
from worker.cli.selection import Filters, selection
from worker.console import err, jsonable, out, write_json
from worker.formatting import count, duration, megapixels, size

if TYPE_CHECKING:
    from restoration import Recipe
    from worker.jobs.reprocess import Estimate, ReprocessedJobs


def reprocess(
    *,
    files: Files = None,
    collection: Collections = None,
    state: States = None,
    since: Since = None,
    until: Until = None,
    stale: Annotated[
        bool, typer.Option("--stale", help="Only files with derivatives, but none of this recipe.")
    ] = False,
    everything: All = False,
    model: Model = None,
    preset: PresetOption = None,
    strength: Strength = None,
    warmth: Warmth = None,
    format: FormatOption = None,  # noqa: A002  (the name of the option)
    pyramid: Pyramid = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Queue nothing; show the number of files, pixels, time and disk space."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Queue recorded files for this recipe, in the bulk lane behind all dropped files.

    Existing derivatives stay. A file that already has a derivative of this recipe is not made again.
    """
    from worker.jobs.reprocess import estimate, queue_reprocessing
    from worker.models.library import library_from

    settings = settings_and_logs()
    recipe = recipe_from_options(
        settings,
        model=model,
        preset=preset,
        strength=strength,
        warmth=warmth,
        format=format,
        pyramid=pyramid,
    )
    stale_for = recipe.fingerprint() if stale else None
    filters = Filters(collection or (), state or (), since, until, stale_for, everything)
    with open_record(settings) as database:
        with database.read() as s:
            chosen = selection(s, files or (), filters, settings)
        if dry_run:
            cost = estimate(database, chosen, recipe, settings)
            _print_estimate(cost, recipe, json=json)
        else:
            done = queue_reprocessing(database, chosen, recipe, library_from(settings), current_user())
            _print_order(done, recipe, json=json)


def _print_order(done: "ReprocessedJobs", recipe: "Recipe", *, json: bool) -> None:
    if json:
        write_json({"dry_run": False, **jsonable(done, {}), "recipe": recipe_facts(recipe)})
        return
    out().print(f"{count(done.created, 'job')} queued in the bulk lane; {_left_out(done)}.")


def _print_estimate(cost: "Estimate", recipe: "Recipe", *, json: bool) -> None:
    if json:
        write_json({"dry_run": True, **jsonable(cost, {}), "recipe": recipe_facts(recipe)})
        return
    console = out()
    console.print(f"{count(cost.to_make, 'scan')} would be made; {_left_out(cost)}.")
    if not cost.to_make:
        return
    console.print(f"Pixels   {megapixels(cost.pixels)} in {count(cost.windows, 'window')} of the network")
    hours = (
        "unknown: no job has finished here yet" if cost.seconds is None else f"about {duration(cost.seconds)}"
    )
    console.print(f"Time     {hours}")
    console.print(f"Disk     at most {size(cost.bytes)}; {size(cost.free_bytes)} are free")
    if cost.bytes > cost.free_bytes:
        err().print("The disk may become full; work waits while it is.", style="yellow")


def _left_out(done: "Estimate | ReprocessedJobs") -> str:
    verb = "exists" if done.existing == 1 else "exist"
    words = f"{done.existing:,} {verb} already, {done.quarantined:,} quarantined"
    if not done.unmade:
        return words
    return f"{words}; {count(done.unmade, 'existing job')} failed or cancelled, to be queued by `saek retry`"
