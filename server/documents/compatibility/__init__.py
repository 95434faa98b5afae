"""Which changes of the documents would break clients that were written for an older version."""
