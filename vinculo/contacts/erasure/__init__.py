"""Forgetting a person: in the database's tables and files, and in the project's folders."""
