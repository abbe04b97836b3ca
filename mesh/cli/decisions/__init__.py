"""`mesh decisions`: reports, replays and shows the decisions of a log."""
