"""The contact's own pages: leaving, saying yes, choosing, answering a survey, and the message in the browser."""
