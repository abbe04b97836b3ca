"""What ends the example early, as one sentence for the person who runs it."""


class ExampleFailed(Exception):
    """The example cannot go on; the text says what happened and what to look at."""
