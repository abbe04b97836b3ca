"""The servers that tests run against, as fixtures; what they are taken for is tested here."""
