"""PNG files as bytes: chunks, and rows for the second decoder."""
