"""`saek db`: show, check and upgrade the tables of the record."""

import typer

from worker.cli.context import settings_and_logs
from worker.cli.options import Json
from worker.console import out, write_json
from worker.exits import Exit
from worker.storage.home import has_record, require_record

app = typer.Typer(name="db", help="Show, check or upgrade the database tables of the record.")


@app.command()
def upgrade() -> None:
    """Upgrade the tables to this release; does nothing if they are current."""
    from db.core import current_revision, head_revision
    from db.migrations import upgrade as migrate

    settings = settings_and_logs()
    url = settings.database_address()
    if settings.database_url is None:
        settings.home.mkdir(parents=True, exist_ok=True)
    before = current_revision(url)
    migrate(url)
    done = (
        f"from {before or 'nothing'} to {head_revision()}"
        if before != head_revision()
        else f"already at {head_revision()}"
    )
    out().print(f"The tables are up to date: {done}.")


@app.command()
def current(json: Json = False) -> None:
    """Show the revision of the tables and the revision that this release needs."""
    from db.core import current_revision, head_revision

    settings = settings_and_logs()
    found = current_revision(settings.database_address()) if has_record(settings) else None
    needed = head_revision()
    if json:
        write_json({"current": found, "head": needed, "up_to_date": found == needed})
    else:
        out().print(f"Tables: revision {found or 'none'}; this release needs {needed}.")
    if found != needed:
        raise typer.Exit(Exit.DATABASE)


@app.command()
def check(json: Json = False) -> None:
    """Compare the tables, column by column, with what this release expects."""
    from db import migrations

    settings = settings_and_logs()
    require_record(settings)
    differences = migrations.check(settings.database_address())
    if json:
        write_json({"differences": list(differences)})
    else:
        for line in differences or ("The tables match this release.",):
            out().print(line)
    if differences:
        raise typer.Exit(Exit.DATABASE)
