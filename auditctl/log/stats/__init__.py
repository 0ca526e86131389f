"""How much the log holds, and how fast it grows."""
