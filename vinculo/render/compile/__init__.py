"""What is made of a template once, so that a contact's message takes little.

`unit` is a template's parts for a channel and language, and `edition` what is made of them for one campaign and day.
"""
