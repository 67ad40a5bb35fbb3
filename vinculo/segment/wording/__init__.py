"""A segment in the words of a marketer: `words` says what it means, `verdict` why a contact is in or out."""
