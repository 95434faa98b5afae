"""What every process needs: background tasks, outages in the log, timeouts, garbage collection."""
