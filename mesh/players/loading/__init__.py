"""Loads players from a CSV or Parquet file into a store."""
