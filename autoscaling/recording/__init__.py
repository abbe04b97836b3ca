"""Records the observations and decisions of the HPA controller of a live cluster."""
