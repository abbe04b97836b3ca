"""`mesh decisions replay`: scores logged decisions again, with the same models or with another version."""
