"""Fill a record with a million scans in about a minute, by SQL in PostgreSQL, with rows like real ones.

The rows are those of a large archive during a bulk command: files in 200 collections, one in a hundred
quarantined; jobs of the first recipe nearly all done; those of the last one half done, half queued, the
oldest of them waiting for a full disk; a derivative for each job that is done, one event for each scan and
two for each job. Constraints hold, sequences continue, statistics are up to date.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
from sqlalchemy import Connection, text

from db.catalog import ensure_recipe
from db.core import Database, agent_id
from db.values import SAEK

_TABLES: Final = ("scan", "sighting", "job", "derivative", "event")

# h is a number below 1000 that depends on the row alone; a scan ends as 7 modulo 100 in quarantine
_SCANS: Final = """
INSERT INTO scan (id, sha256, bytes, format, width, height, bands, bit_depth, orientation, dpi, facts,
    first_seen_at, problem_code, problem_reason, problem_remedy, quarantined_at)
SELECT n, encode(sha256(n::text::bytea), 'hex'), 12000000, 'tiff', 4000, 3000, 1, 8, 1, 600,
    '{"mode": "gray", "compression": "none"}', now() - interval '400 days' + n * interval '1 second',
    CASE WHEN bad THEN 'truncated-image' END, CASE WHEN bad THEN 'its pixel data end early' END,
    CASE WHEN bad THEN 'copy it again from its source' END, CASE WHEN bad THEN now() - interval '300 days' END
FROM (SELECT n, n % 100 = 7 AS bad FROM generate_series(1, :scans) n) numbers
"""

_SIGHTINGS: Final = """
INSERT INTO sighting (id, root, path, path_sha256, display, collection, size, mtime_ns, inode, scan_id,
    first_seen_at, last_seen_at)
SELECT n, 'inbox', name::bytea, sha256(name::bytea), name, collection, 12000000, 1700000000000000000 + n, n,
    n, now() - interval '400 days' + n * interval '1 second', now()
FROM (SELECT n, c.collection, c.collection || '/' || lpad(n::text, 7, '0') || '.tif' AS name
      FROM generate_series(1, :scans) n,
          LATERAL (SELECT 'fonds-' || n % 20 || '/box-' || n % 200 AS collection) c) names
"""

_JOBS: Final = """
INSERT INTO job (id, scan_id, recipe_id, state, lane, attempts, max_attempts, requested_by, created_at,
    queued_at, published_at, not_before, wait_reason, waiting_since, lease_token, started_at, heartbeat_at,
    progress_done, progress_total, cancel_requested, finished_at,
    failure_code, failure_reason, failure_remedy)
SELECT id, scan_id, recipe_id, state, CASE WHEN round = 0 THEN 'interactive' ELSE 'bulk' END,
    CASE WHEN state = 'queued' THEN 0 ELSE 1 END, 3, 'inbox', made, made, NULL,
    CASE WHEN waits THEN now() + interval '1 day' END, CASE WHEN waits THEN 'the disk is full' END,
    CASE WHEN waits THEN now() - interval '1 hour' END, CASE WHEN state = 'queued' THEN 0 ELSE 1 END,
    CASE WHEN state <> 'queued' THEN ended - interval '2 seconds' END,
    CASE WHEN state <> 'queued' THEN ended END, 0, 0, false, CASE WHEN state <> 'queued' THEN ended END,
    CASE WHEN state = 'failed' THEN 'truncated-image' WHEN waits THEN 'no-space' END,
    CASE WHEN state = 'failed' THEN 'its pixel data end early' WHEN waits THEN 'the disk is full' END,
    CASE WHEN state = 'failed' THEN 'copy it again' WHEN waits THEN 'free some space' END
FROM (
    SELECT *, state = 'queued' AND round > 0 AND place < 0.55 AS waits,
        now() - interval '300 days' + id * interval '1 second' AS made,
        now() - (:jobs - id) * interval '0.1 second' AS ended
    FROM (
        SELECT id, scan_id, round, (:recipes)[round + 1] AS recipe_id, place,
            CASE WHEN scan_id % 100 = 7 THEN 'failed'
                WHEN h >= 998 THEN 'cancelled'
                WHEN round = 0 AND h >= 990 OR round = last AND place >= 0.5 THEN 'queued'
                ELSE 'done' END AS state
        FROM (SELECT n AS id, (n - 1) % :scans + 1 AS scan_id, (n - 1) / :scans AS round,
                  (:jobs - 1) / :scans AS last, ((n - 1) % :scans)::float / :scans AS place,
                  n::bigint * 7919 % 1000 AS h
              FROM generate_series(1, :jobs) n) numbers
    ) states
) chosen
"""

_DERIVATIVES: Final = """
INSERT INTO derivative (job_id, scan_id, recipe_id, root, path, path_sha256, display, format, width, height,
    bit_depth, bytes, sha256, pixel_sha256, luma_max_error, luma_mean_error, engine, software, weights_sha256,
    seconds, facts, created_at)
SELECT id, scan_id, recipe_id, 'outbox', name::bytea, sha256(name::bytea), name, 'tiff', 4000, 3000, 8,
    36000000, encode(sha256(name::bytea), 'hex'), encode(sha256(name::bytea), 'hex'), 0, 0, 'openvino-cpu',
    'saek 0.1.0', repeat('0', 64), 2, '{"windows": 12, "stretch": false}', finished_at
FROM (SELECT *, 'box/' || lpad(scan_id::text, 7, '0') || '.' || recipe_id || '.tif' AS name
      FROM job WHERE state = 'done' ORDER BY id) made
"""

_EVENTS: Final = """
INSERT INTO event (type, at, outcome, detail, agent_id, scan_id, sighting_id, job_id)
SELECT 'ingestion', first_seen_at, 'success', jsonb_build_object('name', display), :agent, scan_id, id, NULL
FROM sighting
UNION ALL
SELECT 'job state change', at, 'success', detail::jsonb, :agent, scan_id, NULL, id
FROM job, LATERAL (VALUES (created_at, '{"from": null, "to": "queued"}'),
    (finished_at, '{"from": "running", "to": "done"}')) AS change (at, detail)
WHERE at IS NOT NULL
"""


def fill(url: str, database: Database, scans: int, jobs: int) -> None:
    """Fill an empty record with this many scans, each seen once, and jobs of as many recipes as needed."""
    with database.begin() as s:
        agent = agent_id(s, SAEK)
        recipes = [
            ensure_recipe(
                s,
                f"{number:064x}",
                {"model": "archive-3", "preset": "balanced", "strength": 1 - number / 100},
                model_name="archive-3",
                weights_sha256="0" * 64,
                card={"name": "archive-3"},
            )
            for number in range(-(-jobs // scans))
        ]
    facts = {"scans": scans, "jobs": jobs, "recipes": recipes, "agent": agent}
    with database.connect() as connection, _without_indexes(connection):
        # The rows are generated with consistent keys; checking each foreign key takes an hour.
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in (_SCANS, _SIGHTINGS, _JOBS, _DERIVATIVES, _EVENTS):
            connection.execute(text(statement), facts)
        for table in _TABLES:
            last = f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}"  # noqa: S608
            connection.execute(text(last))
    with psycopg.connect(url, autocommit=True) as connection:  # VACUUM runs in no transaction
        connection.execute("VACUUM ANALYZE")


@contextmanager
def _without_indexes(connection: Connection) -> Iterator[None]:
    """Drop indexes and constraints while filling, and create them again from their definitions."""
    connection.execute(text("SET LOCAL maintenance_work_mem = '512MB'"))
    unique = connection.execute(
        text(
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE contype = 'u' AND conrelid::regclass::text = ANY(:tables)"
        ),
        {"tables": list(_TABLES)},
    ).all()
    for table, name, _ in unique:
        connection.execute(text(f"ALTER TABLE {table} DROP CONSTRAINT {name}"))
    indexes = connection.execute(
        text(
            "SELECT indexname, indexdef FROM pg_indexes"
            " WHERE tablename = ANY(:tables) AND NOT starts_with(indexname, 'pk_')"
        ),
        {"tables": list(_TABLES)},
    ).all()
    for name, _ in indexes:
        connection.execute(text(f"DROP INDEX {name}"))
    yield
    for table, name, definition in unique:
        connection.execute(text(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}"))
    for _, definition in indexes:
        connection.execute(text(definition))
