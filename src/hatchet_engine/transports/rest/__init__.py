"""The REST API, compatible with the official one: ``app.create_app`` is the way in."""
