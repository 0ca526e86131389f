"""Retention: how long events are kept, legal holds, and the upkeep of the log's partitions."""
