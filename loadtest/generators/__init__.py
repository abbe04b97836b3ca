"""Load generators: each runs in a process of its own, so that the measured processes do not pay for it."""
