"""Records what the HPA controller of a live cluster sees and decides."""
