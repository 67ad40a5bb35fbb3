"""What comes in, kept before it is answered: openings and clicks, webhooks, events of our own systems, mail."""
