"""`mesh catalog`: checks catalog files and prints their schema."""
