"""WHEN it runs: Prefect flows and tasks. Thin: they take primitives, call the engine, and show what happened."""
