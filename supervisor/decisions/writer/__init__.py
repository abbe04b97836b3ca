"""The writer process of the decision log: blocks in, Parquet files out."""
