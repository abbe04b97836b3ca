"""The HorizontalPodAutoscaler as its controller decides, explained and held against recorded decisions."""
