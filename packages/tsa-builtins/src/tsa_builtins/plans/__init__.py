"""A plan: the schedules of a run as data, to schedules and back."""
