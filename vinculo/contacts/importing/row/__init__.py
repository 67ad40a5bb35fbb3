"""What rows say: `columns` knows where each cell goes, and `values` what it means.

`reader` makes a `draft` of one row; `wholesale` reads thousands a column at a time into a `lot`, and leaves to `reader`
whatever is unusual.
"""
