"""Numbers: metrics, comparison, slices, profiles and data contracts. Frames in, plain results out."""
