"""What is held, and the upkeep of the log's partitions."""
