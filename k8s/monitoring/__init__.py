"""Grafana dashboards for games in a cluster."""
