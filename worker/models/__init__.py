"""The models of a station: installed, imported, downloaded, opened."""
