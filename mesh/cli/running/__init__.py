"""The processes of `mesh up`: how they are started, kept running, and ended."""
