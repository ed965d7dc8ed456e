"""Feature clients: one for each subject of the REST API."""
