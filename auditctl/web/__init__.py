"""The log in the browser: what auditors read and administrators configure with; the extra `web`."""
