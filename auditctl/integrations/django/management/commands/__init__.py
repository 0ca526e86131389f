"""The commands themselves, each in place of that of Django."""
