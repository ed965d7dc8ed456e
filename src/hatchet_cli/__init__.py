"""The `hatchet` command: one file per noun."""
