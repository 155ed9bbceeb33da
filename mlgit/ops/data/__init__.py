"""Datasets: add data, and check it against its contract."""
