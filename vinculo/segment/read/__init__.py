"""What the file of a segment may say: `parse` makes conditions of it, as `tree` has them; `schema` tells an editor.

`field` is what can be asked for, `value` what with; `query` judges a `.sql` segment; `collection` is all of a project.
"""
