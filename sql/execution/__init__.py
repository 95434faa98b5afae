"""How statements come to their connections: queues, and the joining of many calls to one statement."""
