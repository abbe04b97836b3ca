"""`mesh k8s`: compares the HPAs of a catalog with rendered or live ones."""
