"""REST: models and exceptions."""
