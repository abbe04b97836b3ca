"""`python -m loadtest profile`: what one replica of a model bears, as a file that later sizes its HPA."""
