"""A file of rows: how it is written, its rows, and the file beside it of those that were wrong."""
