"""Ways for applications to name their user."""
