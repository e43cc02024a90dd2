"""pytest makes this folder importable, so that the subfolders share its helpers."""

# A script that needs other libraries; pytest would import it in search of doctests.
collect_ignore = ["curves/parity/make_tables.py"]
