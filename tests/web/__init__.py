"""The web page: over HTTP against a real server, and in a real browser."""
