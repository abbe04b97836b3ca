"""`mesh top`: a live view of a running mesh in the terminal, from the metrics of its supervisors."""
