"""Data and the contracts that it keeps."""
