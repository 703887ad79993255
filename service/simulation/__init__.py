"""A made-up clinic: clients, their homework and how it went, the same for the same seed. Nobody in it exists."""
