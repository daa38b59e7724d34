"""The rows of test_13_api_table.py: one module for each part of the control API, one Case for each row."""
