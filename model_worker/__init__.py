"""The model worker: serves one LightGBM model over the Open Inference Protocol."""

import mesh  # noqa: F401 (says what gRPC must hear before it is imported)
