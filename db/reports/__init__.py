"""What the record tells as a whole: status, cached counts, the history of one scan."""
