"""pytest makes this folder importable, so that the subfolders share its helpers."""
