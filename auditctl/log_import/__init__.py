"""Imports reads from the server's own log, for those that no policy sees."""
