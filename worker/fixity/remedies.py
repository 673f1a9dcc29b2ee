"""Remedies for files that are not intact."""

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from db.audit import FileCheck, recipe_and_master
from db.vocabulary import Finding, Holding

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def remedy(s: "Session", check: FileCheck) -> str:
    """Return what a person can do, with a command if one helps."""
    if (check.file.holding, check.finding) == (Holding.LINK, Finding.MISSING):
        return "nothing: a worker gives the derivative this name again, if it is intact under another"
    if check.finding is Finding.UNREADABLE:
        return "check the disk or the share, and that Saek may read the file; it is tried again next time"
    if check.finding is Finding.REWRITTEN:
        return "nothing, if this was intended: the rescan registers it as new; otherwise put the master back"
    wanted = f"sha256 {check.file.sha256}"
    if check.file.holding is Holding.MASTER:
        if check.finding is Finding.MISSING:
            return f"put it back into the inbox, or restore it from your backup ({wanted})"
        return f"restore it from your backup ({wanted}); Saek keeps no copy of a master"
    command = remake_command(s, check.file.derivative_id or check.file.id)
    again = "; it can be made again only once its master is back"
    if command is not None:
        again = f", or make it again beside it: {command}"
    return f"restore it from your backup ({wanted}){again}"


def remake_command(s: "Session", derivative_id: int) -> str | None:
    """Return the command that makes a derivative again, None if its master is not in the inbox.

    A recipe is not applied to a scan twice, so the command asks for the same picture in another kind of file:
    with or without a pyramid, or as TIFF.
    """
    recipe, sighting_id = recipe_and_master(s, derivative_id)
    if sighting_id is None or "model" not in recipe:
        return None
    said = {"model": recipe["model"], "preset": recipe.get("preset", "balanced")}
    said |= {"strength": f"{recipe.get('strength', 1):g}", "warmth": f"{recipe.get('warmth', 0):g}"}
    options = (f"--{name} {shlex.quote(str(value))}" for name, value in said.items())
    return " ".join(["saek reprocess", f"file:{sighting_id}", *options, _other_kind(recipe)])


def _other_kind(recipe: Mapping[str, Any]) -> str:
    if recipe.get("format") != "tiff":
        return "--format tiff --no-pyramid"
    return "--format tiff " + ("--no-pyramid" if recipe.get("pyramid") else "--pyramid")
