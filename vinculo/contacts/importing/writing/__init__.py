"""Writing what rows say: `drafts` those that were read one by one, `laying` lots of new contacts, `known` those there.

`answering` plays what rows say of consent one after another; `closed` and `noes` see to it that a no holds; `tally`
counts; `erased` sees that nobody who was erased comes back unnoticed.
"""
