"""Helpers shared by all tests; fixtures are wired in tests/conftest.py."""
