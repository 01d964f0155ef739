"""Several stages in a row: a process with a progress bar for each, and a sheet of what they made."""
