"""The models of a station: its library, imports and downloads."""
