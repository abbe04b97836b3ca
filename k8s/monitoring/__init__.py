"""What is made to watch a game in a cluster: the dashboards."""
