"""Finds everything on a server that weakens what the log promises, and says what to do about each."""
