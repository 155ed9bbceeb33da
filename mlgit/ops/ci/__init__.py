"""What workflows of a forge ask for beyond the plain commands."""
