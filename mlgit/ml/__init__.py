"""Statistics: metrics, comparison, slices, profiles and data contracts. Tables in, results of `domain.results` out."""
