"""The HTTP side of the engine: answers, client addresses, the listening socket."""
