"""The decision of the HPA controller as a pure function; start at `reconciliation.reconcile`."""
