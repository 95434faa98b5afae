"""The Engine.IO 4 and Socket.IO 5 server: transports, sessions and the send path. It knows no command and no push."""
