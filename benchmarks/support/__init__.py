"""What the scenarios share: servers, programs, measuring, printing."""
