"""The cost of a large idle fleet: 4 games with 3 versions of 15 models, each replica a real process."""
