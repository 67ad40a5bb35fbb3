"""Vinculo runs a company's relationship plan: who hears from it, what, on which channel, when, and what came back."""

__version__ = "0.1.0"
