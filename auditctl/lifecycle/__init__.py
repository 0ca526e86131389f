"""How much the log holds, what of it is held, and the upkeep of its partitions."""
