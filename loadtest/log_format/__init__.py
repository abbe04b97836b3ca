"""The cost of logs in JSON: a supervisor that writes them, against one that writes text."""
