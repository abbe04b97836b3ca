"""The catalog: one YAML file that says everything about a game, and the files that it names."""
