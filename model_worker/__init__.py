"""The model worker: serves one LightGBM model over the Open Inference Protocol."""

import mesh  # noqa: F401 (sets the environment variables that gRPC reads at its import)
