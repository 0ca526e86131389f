"""How much the log holds, and for how long."""
