"""`./run bench engine`: compares the product's socket engine with other servers, in one run on one machine."""
