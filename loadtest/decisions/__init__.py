"""The cost of the decision log: answers with the log and without it."""
