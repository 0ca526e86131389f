"""Evidence: seals the log's events in a Merkle tree, verifies them, and proves single events."""
