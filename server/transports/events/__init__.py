"""The pushes of a socket over plain HTTP: long-polling, and a stream of Server-Sent Events."""
