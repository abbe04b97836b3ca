"""Drift: the distributions of the training, and how far those of the live requests are from them."""
