"""Load generators, each a process of its own, so that measuring costs the measured process nothing."""
