"""What every operation builds on."""
