"""The features of players: what they are, and the stores that hold them."""
