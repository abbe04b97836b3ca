"""Recorded decisions of real controllers: their file, replaying them, and recording more."""
