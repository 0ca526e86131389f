"""Sign-in, sessions and connections of visitors."""
