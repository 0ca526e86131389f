"""Counts the events of a selection over time, by target and by user, for the page's charts."""
