"""Check what runs."""
