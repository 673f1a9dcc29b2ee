"""Scans, sightings, recipes, derivatives and their names."""

from db.catalog.files import (
    FileRow,
    list_files,
)
from db.catalog.links import (
    DerivativeName,
    NamedDerivative,
    ScanPlaces,
    abandon_name,
    enter_link,
    latest_derivative_paths,
    locked_scan_places,
    mark_copies,
    name_owner,
    recorded_derivatives,
    scan_places,
    withdraw_name,
)
from db.catalog.names_due import (
    any_names_due,
    clear_names_due,
    mark_names_due,
    postpone_names,
    scans_with_names_due,
)
from db.catalog.recipes import (
    ensure_recipe,
    unfinished_jobs,
)
from db.catalog.recovery import (
    AddedRows,
    SidecarStatus,
    enter_sidecar,
    sidecar_status,
)
from db.catalog.selection import (
    SelectedScan,
    Selection,
    collections_on_record,
    has_files,
    mean_seconds_per_megapixel,
    select_files,
    select_scans,
    similar_names,
)
from db.catalog.sidecar_reader import read_sidecar
from db.catalog.sidecars import (
    Sidecar,
    sidecar_object,
)
from db.catalog.sightings import (
    count_sightings,
    known_sightings,
    mark_gone,
    possibly_gone,
    sighting_paths,
)
from db.catalog.surveys import (
    RefusedFolder,
    SurveyRecord,
    last_survey,
    record_survey,
    survey_requested_at,
)

__all__ = [
    "AddedRows",
    "DerivativeName",
    "FileRow",
    "NamedDerivative",
    "RefusedFolder",
    "ScanPlaces",
    "SelectedScan",
    "Selection",
    "Sidecar",
    "SidecarStatus",
    "SurveyRecord",
    "abandon_name",
    "any_names_due",
    "clear_names_due",
    "collections_on_record",
    "count_sightings",
    "ensure_recipe",
    "enter_link",
    "enter_sidecar",
    "has_files",
    "known_sightings",
    "last_survey",
    "latest_derivative_paths",
    "list_files",
    "locked_scan_places",
    "mark_copies",
    "mark_gone",
    "mark_names_due",
    "mean_seconds_per_megapixel",
    "name_owner",
    "possibly_gone",
    "postpone_names",
    "read_sidecar",
    "record_survey",
    "recorded_derivatives",
    "scan_places",
    "scans_with_names_due",
    "select_files",
    "select_scans",
    "sidecar_object",
    "sidecar_status",
    "sighting_paths",
    "similar_names",
    "survey_requested_at",
    "unfinished_jobs",
    "withdraw_name",
]
