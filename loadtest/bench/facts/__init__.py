"""`./run bench facts`: Facts a second through consumers that store a row for each."""
