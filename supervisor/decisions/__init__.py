"""The decision log: records the answers of this supervisor and writes them in a process of its own."""
