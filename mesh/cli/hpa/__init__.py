"""`mesh hpa`: what a catalog's HPAs will do, before anyone applies them."""
