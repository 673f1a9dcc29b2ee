"""db: what is known. Schema, sessions, the job state machine, events and migrations; SQL lives only here."""
