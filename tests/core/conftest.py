"""The modules of helpers beside this file can be imported by the tests in its subfolders."""
