"""Numbers and data, checked, with the name or path of what is wrong."""
