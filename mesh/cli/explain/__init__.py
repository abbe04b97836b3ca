"""`mesh explain`: why a player sees an offer, by the contributions of the features."""
