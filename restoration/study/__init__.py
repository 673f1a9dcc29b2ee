"""The founding study: pix2pix trained on Victorian400 exactly as published, its variants, and a report."""

from restoration.study.channel_statistics import ChannelStatistics, channel_statistics
from restoration.study.dataset import load_dataset
from restoration.study.dispatch import train_by_recipe
from restoration.study.estimate import Estimator, bytes_kept
from restoration.study.findings import Findings, study_document
from restoration.study.matrix import PlannedRun, RunSelection, plan_runs, read_matrix
from restoration.study.runner import run_study

__all__ = [
    "ChannelStatistics",
    "Estimator",
    "Findings",
    "PlannedRun",
    "RunSelection",
    "bytes_kept",
    "channel_statistics",
    "load_dataset",
    "plan_runs",
    "read_matrix",
    "run_study",
    "study_document",
    "train_by_recipe",
]
