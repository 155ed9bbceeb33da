"""Rules for records and files; each yields findings. Pure: the caller has read the files."""
