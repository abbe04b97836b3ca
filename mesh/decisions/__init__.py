"""The decision log: the format of its files, which supervisors write, and their reader and report."""
