"""Outcomes: reports of what players did with their offers, which go into the decision log."""
