"""The HPA controller's decision as a pure function; start at `reconciling.reconcile`."""
