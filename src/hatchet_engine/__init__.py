"""The Hatchet engine: queue, place, retry, time out, schedule and record every run."""
