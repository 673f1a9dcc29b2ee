"""Folders and files on disk: home, inbox, outbox, mounts, and the paths of files on record."""
