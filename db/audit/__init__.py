"""Whether events and files are still what was recorded: hash chain, fixity, orphans."""
