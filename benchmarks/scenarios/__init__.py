"""One file per scenario; each has `run(scale) -> Outcome`."""
