"""Logs of both services: their formats, their limits, and their output, which never stalls the event loop."""
