"""`./run bench commands`: commands of the product, from the socket to PostgreSQL, beside other ways to the same SQL."""
