"""Live connections: who waits for results and who watches runs. In memory only."""
