"""Connection, schema, columns, events and job transitions: what the rest of the record is built on."""
