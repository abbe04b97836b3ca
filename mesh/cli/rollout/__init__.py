"""`mesh rollout`: where the rollout of a game stands."""
