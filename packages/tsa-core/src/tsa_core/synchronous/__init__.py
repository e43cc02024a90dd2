"""Many schedules as one."""
