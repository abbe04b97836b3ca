"""Thousands of lanes to a process that stalls: memory and CPU during the stall, and the time to recover after it."""
