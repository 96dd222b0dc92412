"""Runs: the keywords of a run, checked; the plan that the core takes; and the call of the core."""
