"""From conditions to SQL: `select` is the whole query, `route` where it begins.

`condition` has each condition, and `event` what a contact did; `person` is whom they are about. `rule` is for stages;
`query` runs a `.sql` segment.
"""
