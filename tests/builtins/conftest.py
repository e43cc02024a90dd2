"""The tests in the folders below import the tables beside this file, such as ``curve_forms``."""
