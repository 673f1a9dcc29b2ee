"""Inbox, queue, jobs, station and command line of Saek."""

from importlib.metadata import version

__version__ = version("saek")
