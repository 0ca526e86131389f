"""The configuration file: one module for each section, with its keys, reading and writing."""
