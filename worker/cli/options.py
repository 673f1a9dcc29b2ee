"""Options shared by several commands."""

import datetime as dt
from typing import Annotated, Literal

import typer

from db.vocabulary import FileState, Lane

PresetName = Literal["fast", "balanced", "fine", "native"]
"""`restoration.Preset`, spelled out so that help and completion need not load the pixel code."""

FormatName = Literal["tiff", "png", "jpeg"]
"""`restoration.OutputFormat`, likewise."""

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

Model = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Model to use; `saek models` lists them.",
        show_default="the setting `model`",
    ),
]
PresetOption = Annotated[
    PresetName | None,
    typer.Option(
        "--preset", help="Resolution at which color is inferred.", show_default="the setting `preset`"
    ),
]
Strength = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        max=2.0,
        help="Chroma gain: 0 is gray, 1 is as predicted.",
        show_default="the setting `strength`",
    ),
]
Warmth = Annotated[
    float | None,
    typer.Option(
        min=-1.0,
        max=1.0,
        help="Color shift: -1 is toward blue, 0 as predicted, 1 toward amber. Gray stays gray.",
        show_default="the setting `warmth`",
    ),
]
FormatOption = Annotated[
    FormatName | None,
    typer.Option("--format", help="File format of the derivative.", show_default="the setting `format`"),
]
Pyramid = Annotated[
    bool | None,
    typer.Option(
        "--pyramid/--no-pyramid",
        help="Write a tiled TIFF with reduced copies, for viewers that zoom.",
        show_default="the setting `pyramid`",
    ),
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
