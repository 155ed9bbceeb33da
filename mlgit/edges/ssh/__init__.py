"""SSH keys: what people sign with, and whose signature is worth what."""
