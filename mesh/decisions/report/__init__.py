"""The report on a decision log: counts, conversion and revenue by arm, their intervals and their differences."""
