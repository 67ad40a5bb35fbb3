"""Writing what rows say: `drafts` those that were read one by one, `laying` lots of new contacts, `known` those there.

`closed` and `noes` see to it that a no holds, `erased` that nobody who was erased comes back unnoticed.
"""
