"""How long events are kept, what is held, and the upkeep of the log's partitions."""
