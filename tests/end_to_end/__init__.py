"""Tests of the complete mesh on one machine: real processes, real sockets, real models."""
