"""The inbox: files are found by events and rescans, checked, and registered."""
