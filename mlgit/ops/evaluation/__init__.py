"""Evidence, and the gates that are evaluated on it."""
