"""Whether the files that are on record still hold the bytes that were recorded."""
