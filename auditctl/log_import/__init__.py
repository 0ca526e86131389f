"""Reads out of the server's own log, for what no policy sees: the driver `log` of the action READ."""
