"""The privileges of docs/fixity.md are enough to work, and not enough to rewrite events."""

import re
from pathlib import Path

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError

from db.audit.chain_verification import verify_chain
from db.audit.due_checks import (
    Due,
    due_files,
)
from db.audit.fixity import (
    FileCheck,
    record_checks,
)
from db.audit.hash_chain import seal_events
from db.core.engine import open_database
from db.core.revision import require_current
from db.queue.jobs import finish
from db.values import utcnow
from db.vocabulary import Finding, Holding

PAGE = (Path(__file__).parents[3] / "docs/fixity.md").read_text(encoding="utf-8")

# SQLite has no roles.
pytestmark = [pytest.mark.postgres, pytest.mark.parametrize("url", ["postgresql"], indirect=True)]


@pytest.fixture
def working(archive, url, administer):
    """The archive, used by a role with the privileges of the page; another role owns the tables."""
    database = archive.database
    with database.read() as s:
        space = s.scalar(text("SELECT current_schema()"))
    role = f"saek_work_{space[-12:]}"
    (grants,) = re.findall(r"^```sql\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    grants = re.sub(r"--.*", "", grants).replace("SCHEMA public", f"SCHEMA {space}")
    orders = [re.sub(r"\bsaek$", role, order.strip()) for order in grants.split(";") if order.strip()]
    administer(url, f"CREATE ROLE {role}", *orders)
    address = make_url(url).update_query_dict({"options": f"-csearch_path={space} -crole={role}"})
    archive.database = open_database(address.render_as_string(hide_password=False))
    require_current(address.render_as_string(hide_password=False))
    yield archive
    archive.database.dispose()
    archive.database = database
    administer(url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_the_working_role_can_do_all_of_the_work(working):
    lease = working.work_on()
    with working.database.begin() as s:
        finish(s, lease, working.derivative(), now=working.now)
    held = list(due_files(working.database, list(Holding), Due(utcnow())))
    with working.database.begin() as s:
        record_checks(s, [FileCheck(file, Finding.INTACT) for file in held])
    assert seal_events(working.database) == 1
    proof = verify_chain(working.database)
    assert (proof.unbroken, proof.unsealed, proof.missing_triggers) == (True, 0, ())


@pytest.mark.parametrize(
    "order",
    [
        "UPDATE event SET outcome = 'success'",
        "DELETE FROM event",
        "TRUNCATE event",
        "DELETE FROM seal",
        "UPDATE agent SET name = 'somebody'",
        "ALTER TABLE event DISABLE TRIGGER USER",
        "DROP TRIGGER event_only_grows ON event",
        "ALTER FUNCTION refuse_change() RENAME TO allow_change",
        "LOCK TABLE event IN ACCESS EXCLUSIVE MODE",
        "DELETE FROM alembic_version",
    ],
)
def test_the_working_role_cannot_rewrite_what_happened(working, order):
    working.drop()
    with pytest.raises(DBAPIError, match=r"permission denied|must be owner"), working.database.begin() as s:
        s.execute(text(order))
