"""What runs the mesh on Kubernetes: the chart, what it makes of the example, images, monitoring."""
