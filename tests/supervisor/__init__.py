"""Tests of the supervisor: pure values, gates and a virtual clock, then real sockets on port 0."""
