"""What rows say: `columns` knows where each cell goes, and `values` what it means.

`draft` reads one row; `wholesale` reads thousands a column at a time into a `lot`, and leaves to `draft` whatever is
unusual.
"""
