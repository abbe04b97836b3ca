"""The `mesh` command: `parser` says what can be written, `main` runs it; each folder holds one command."""
