"""The supervisor's side of the decision log: it collects answers in columns, and a process of its own writes them."""
