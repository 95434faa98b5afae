"""What every process needs: background tasks, outages in the log, time limits, the garbage collector."""
