"""The contracts of the wire, and the generator of their Python stubs."""
