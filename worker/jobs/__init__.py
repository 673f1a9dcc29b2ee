"""Jobs: preflight checks, leases, restoration, record."""
