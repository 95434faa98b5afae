"""All SQL of the product and nothing but SQL: migrations, named queries, and the units of work they run in."""
