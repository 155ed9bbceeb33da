"""Evidence, and the gates that are judged on it."""
