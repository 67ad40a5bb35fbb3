"""The demo: a believable company, and people who behave like people."""
