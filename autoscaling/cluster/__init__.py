"""The world around the HPAs: load, models and their queues, pods, metrics that lag; and what becomes of them."""
