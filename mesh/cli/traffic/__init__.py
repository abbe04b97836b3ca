"""`mesh traffic`: changes the traffic of a game's versions."""
