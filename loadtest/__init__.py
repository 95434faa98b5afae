"""Load tests and benchmarks of a running Rookery, over the wire only."""
