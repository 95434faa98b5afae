"""Measures single mechanisms of the product: in this process, or as small servers made of a part of it."""
