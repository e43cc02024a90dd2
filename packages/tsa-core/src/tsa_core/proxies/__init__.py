"""Torch's schedulers on any entry: an optimizer on which ``lr`` is the target."""
