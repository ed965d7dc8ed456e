"""Listeners of runs."""
