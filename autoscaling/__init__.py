"""HorizontalPodAutoscalers: the decision of the controller, a simulated cluster, tuning, and recorded decisions."""
