"""`python -m loadtest profile`: measures the capacity of one replica of a model, for the sizing of its HPA."""
