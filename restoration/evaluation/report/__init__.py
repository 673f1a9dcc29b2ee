"""The report of an evaluation: a self-contained folder for a browser."""

from restoration.evaluation.report.page import report_folder, write_report

__all__ = ["report_folder", "write_report"]
