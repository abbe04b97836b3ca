"""The catalog: one YAML file that describes a game, and the files that it names."""
