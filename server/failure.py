"""How a verb of the command line gives up."""


class CommandFailed(Exception):
    """The verb cannot do its work; the message is one line that says what to do."""
