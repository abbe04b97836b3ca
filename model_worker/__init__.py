"""The model worker: serves one LightGBM model over the Open Inference Protocol."""
