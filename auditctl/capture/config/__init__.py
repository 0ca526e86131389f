"""The sections of the configuration file, one module each: its keys, how it is read, and how it is written."""
