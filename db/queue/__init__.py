"""Jobs: entered, claimed, finished, waited for, commanded."""
