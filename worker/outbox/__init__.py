"""Files in the outbox: derivatives, their names and links, and sidecars."""
