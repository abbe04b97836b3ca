"""The error that ends the example early."""


class ExampleFailed(Exception):
    """The example cannot continue; the message, for the user, describes the problem and where to look."""
