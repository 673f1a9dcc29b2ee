"""The life of a job: preflight, lease, restoration, record."""
