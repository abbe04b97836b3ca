"""Outcomes: reports of what players did with their offers, on their way into the decision log."""
