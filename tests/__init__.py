"""The test suite; folders from fast to slow, see the Makefile."""
