"""The decision log: the format of its files, which supervisors write and `mesh decisions` reads."""
