"""What can be run: workflows, standalone tasks, and references to their runs."""
