"""JPEG files, as bytes: markers, repair of odd streams, completeness."""
