"""An entry of a param group: found, read, checked and written."""
