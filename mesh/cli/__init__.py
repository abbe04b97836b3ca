"""The `mesh` command: `parser` defines the command line, `main` runs a command; each folder contains one command."""
