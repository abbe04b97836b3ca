"""The search for the cheapest HPAs that keep a promise."""
