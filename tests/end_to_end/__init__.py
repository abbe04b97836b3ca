"""The whole mesh on one machine: real processes, real sockets, real models."""
