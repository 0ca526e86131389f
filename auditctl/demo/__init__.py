"""A private PostgreSQL server, and the billing company that shows the log on it."""
