"""Pixels in, pixels out: monochrome scans become colored derivatives that give the scan back bit for bit."""

from restoration.contact_sheet import contact_sheet
from restoration.errors import (
    AlreadyColor,
    EmptyFile,
    EngineUnavailable,
    ImageTooLarge,
    LumaMismatch,
    MasterChanged,
    MasterError,
    MissingFile,
    ModelError,
    NoSpace,
    NotAnImage,
    OutOfMemory,
    OutputExists,
    OutputUnavailable,
    RestorationError,
    Transient,
    TruncatedImage,
    UnknownModel,
    UnreadableFile,
    UnsafeFile,
    UnsupportedImage,
    WeightsMismatch,
)
from restoration.facts import Limits, ScanFacts
from restoration.loading import LoadedModel, load_model
from restoration.models import ModelCard, default_model, model_card, verify_model
from restoration.models import models as installed_models
from restoration.opening import Witness
from restoration.outcome import (
    MetadataReport,
    Plan,
    Progress,
    ProgressListener,
    Restoration,
    Stage,
    Tone,
    ToneKind,
)
from restoration.publishing import publish, writing_to
from restoration.recipe import OutputFormat, Preset, Recipe
from restoration.restoring import plan, recipe_for, restore
from restoration.scan import identify

__all__ = [
    "AlreadyColor",
    "EmptyFile",
    "EngineUnavailable",
    "ImageTooLarge",
    "Limits",
    "LoadedModel",
    "LumaMismatch",
    "MasterChanged",
    "MasterError",
    "MetadataReport",
    "MissingFile",
    "ModelCard",
    "ModelError",
    "NoSpace",
    "NotAnImage",
    "OutOfMemory",
    "OutputExists",
    "OutputFormat",
    "OutputUnavailable",
    "Plan",
    "Preset",
    "Progress",
    "ProgressListener",
    "Recipe",
    "Restoration",
    "RestorationError",
    "ScanFacts",
    "Stage",
    "Tone",
    "ToneKind",
    "Transient",
    "TruncatedImage",
    "UnknownModel",
    "UnreadableFile",
    "UnsafeFile",
    "UnsupportedImage",
    "WeightsMismatch",
    "Witness",
    "contact_sheet",
    "default_model",
    "identify",
    "installed_models",
    "load_model",
    "model_card",
    "plan",
    "publish",
    "recipe_for",
    "restore",
    "verify_model",
    "writing_to",
]
