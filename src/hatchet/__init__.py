"""The Python SDK of Hatchet: background tasks and workflows on Postgres."""
