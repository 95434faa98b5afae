"""What Rookery decides, one package per feature. An operation returns what happened; it never sees a socket."""
