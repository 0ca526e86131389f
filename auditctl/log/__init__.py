"""Reading the log: filters, one query path, formats, export."""
