"""Statistics of the log: its size and its growth."""
