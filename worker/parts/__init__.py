"""What the long-running parts of a station share: startup, periodic tasks, waits, exits."""
