"""The conformance suite of the clients: the same scenarios for every language."""
