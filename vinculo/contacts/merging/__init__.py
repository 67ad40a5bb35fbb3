"""Two contacts that are one person become one, and can be parted again."""
