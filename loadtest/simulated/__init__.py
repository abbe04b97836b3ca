"""Models that only take their time, so that a machine can stand for sixty, and the limit that they set."""
