"""Load on a running Rookery, from outside, and small measurements of its parts."""
