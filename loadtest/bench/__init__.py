"""`./run bench`: compares the product with other servers, in one run on one machine."""
