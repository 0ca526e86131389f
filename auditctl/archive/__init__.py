"""Months of the log in files of Parquet: written, read back, searched, verified and restored."""
