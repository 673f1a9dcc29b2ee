"""Folders and files on disk: home, inbox, outbox, mounts, and the path of a file on record."""
