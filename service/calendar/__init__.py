"""A client's homework in their own calendar: secret links, and the feed that they open."""
