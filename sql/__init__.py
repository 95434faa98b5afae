"""All SQL of the product and nothing but SQL: migrations, named queries, and the units of work that run them."""
