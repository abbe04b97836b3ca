"""Does a caller that floods cost the others anything? Nine polite callers with and without it; a critical caller."""
