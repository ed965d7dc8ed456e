"""What the SDK knows without touching a socket, a thread or a clock."""
