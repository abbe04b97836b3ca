"""A game whose evening comes all at once: 15 models of different weights, and HPAs that are badly tuned."""
