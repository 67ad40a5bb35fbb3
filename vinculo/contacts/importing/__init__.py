"""Importing contacts and events: `file` reads a file's rows, `row` what they say, `writing` writes it.

`contacts` and `events` are the two imports. `reading` makes batches of a file of contacts, beside the process that
writes them; `batch` writes one.
"""
