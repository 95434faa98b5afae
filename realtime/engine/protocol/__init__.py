"""Engine.IO and Socket.IO packets and their encodings."""
