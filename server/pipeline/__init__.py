"""The one pipeline of commands and reactions."""
