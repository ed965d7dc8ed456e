"""Pure rules: no I/O, no clock, no randomness. Time, ids and randomness are arguments."""
