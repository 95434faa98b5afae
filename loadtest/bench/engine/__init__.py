"""`./run bench engine`: the product's socket engine beside other servers."""
