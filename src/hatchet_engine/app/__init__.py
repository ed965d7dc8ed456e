"""Settings, wiring and start of the server: the only floor that knows all others."""
