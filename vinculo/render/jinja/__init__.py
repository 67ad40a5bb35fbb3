"""Jinja as templates get it: what they may do, for how long, and how they write money, dates and numbers."""
