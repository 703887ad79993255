"""Reminders that clients ask for: their rules, the plan of what is due, and how each is brought and written down."""
