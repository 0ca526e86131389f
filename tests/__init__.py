"""The tests, against a real server."""
