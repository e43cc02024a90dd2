"""The built-ins: curves joined, and put on a ``CurveSchedule``."""
