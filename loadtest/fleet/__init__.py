"""What a large fleet costs while nothing happens: 4 games of 3 versions of 15 models, each replica a real process."""
