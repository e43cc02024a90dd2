"""Our schedules: what they share, along a curve, and derived from another entry."""
