"""`mesh hpa`: simulates, tunes and explains the HPAs of a catalog before you apply them."""
