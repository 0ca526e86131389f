"""The command line: parses, calls one function, prints. Nothing is decided here."""
