"""The colored file: composed, encoded, verified, described and published."""
