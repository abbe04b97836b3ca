"""Traces: recorded decisions of real controllers, their file format, and their replay."""
