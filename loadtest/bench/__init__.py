"""`./run bench engine`: the product's socket engine beside other servers, in one run on one machine."""
