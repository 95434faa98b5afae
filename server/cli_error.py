"""The error with which a command of the command line ends."""


class CliError(Exception):
    """The command cannot be carried out; the message is one line that says what to do."""
