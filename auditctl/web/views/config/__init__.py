"""The pages of the configuration."""
