"""Reference scores of an ensemble, computed without the code of the supervisor, so that the two can be compared."""
