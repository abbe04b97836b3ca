"""Changes of a catalog under load: which catalog made each answer, and after how many seconds."""
