"""Alembic's migrations of the tables; `python -m vinculo.db.migrations.draft NUMBER` writes one."""
