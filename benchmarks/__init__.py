"""Speed of the engine and the SDK, measured beside their peers. Start with `make bench`."""
