"""Benchmarks of single mechanisms of the product: in this process, or as small servers made of parts of it."""
