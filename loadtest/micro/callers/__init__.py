"""Micro-benchmark: the CPU of recognising callers."""
