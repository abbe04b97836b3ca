"""The search for the HPAs that meet an SLO at the lowest cost."""
