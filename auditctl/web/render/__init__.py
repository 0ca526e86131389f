"""Rendering: templates, event rows, text differences, filter chips and charts."""
