"""Threads, loops and connections: where things actually happen."""
