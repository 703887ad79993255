"""Webhooks of app developers: who is told of what happens to homework, by ids alone, and what became of each message."""
