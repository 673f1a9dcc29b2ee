"""Options shared by several commands: JSON output, engine and device, selection of files."""

import datetime as dt
from typing import Annotated, Literal

import typer

from db.vocabulary import FileState, Lane

EngineName = Literal["auto", "torch", "openvino"]
DeviceName = Literal["auto", "cpu", "cuda"]


def _moment(text: str) -> dt.datetime:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a date; write 2026-11-30 or 2026-11-30T14:00") from None
    return moment.astimezone()  # without a zone it is local time


Json = Annotated[
    bool, typer.Option("--json", help="Write one JSON document on standard output instead of tables.")
]

Engine = Annotated[
    EngineName | None, typer.Option(help="Engine that runs the network.", show_default="the setting `engine`")
]
Device = Annotated[
    DeviceName | None,
    typer.Option(help="Device that the network runs on.", show_default="the setting `device`"),
]

Files = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="FILE|ID|GLOB",
        help="Files of the inbox: a number from `saek status --state`, scan:N, a path, or a glob.",
        show_default=False,
    ),
]
FilesOrJobs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="FILE|ID|GLOB|job:N",
        help="Files as for `saek reprocess`, or single jobs as `job:N`.",
        show_default=False,
    ),
]
Collections = Annotated[
    list[str] | None,
    typer.Option(
        "--collection",
        metavar="FOLDER",
        help="A folder of the inbox, with its subfolders. May be repeated.",
    ),
]
States = Annotated[
    list[FileState] | None,
    typer.Option(
        "--state",
        metavar="STATE",
        help=f"Files in this state, or with a job in it: {', '.join(FileState)}. May be repeated.",
    ),
]
Since = Annotated[
    dt.datetime | None,
    typer.Option(parser=_moment, metavar="TIME", help="Files first seen at this time or later (ISO 8601)."),
]
Until = Annotated[
    dt.datetime | None,
    typer.Option(parser=_moment, metavar="TIME", help="Files first seen before this time (ISO 8601)."),
]
All = Annotated[bool, typer.Option("--all", help="All files; required if nothing else is chosen.")]
LaneOption = Annotated[Lane | None, typer.Option("--lane", help="Only this lane.", show_default="both")]
