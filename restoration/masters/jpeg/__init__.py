"""JPEG files as bytes: markers, scans, repair of odd streams, completeness."""
