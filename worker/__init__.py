"""What moves: the inbox, the queue, the tasks and the command line of Saek."""

from importlib.metadata import version

__version__ = version("saek")
