"""Sign-in, sessions and database connections of visitors."""
