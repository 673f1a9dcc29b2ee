"""The page that shows an evaluation: a folder that needs nothing but a browser."""

from restoration.evaluation.report.folder import report_folder
from restoration.evaluation.report.page import write_report

__all__ = ["report_folder", "write_report"]
