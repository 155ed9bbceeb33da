"""What must hold across records and files; each rule yields findings. Pure: whoever calls has read the files."""
