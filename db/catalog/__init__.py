"""Scans, sightings, derivatives, their names, recipes: what is on record of each file."""
