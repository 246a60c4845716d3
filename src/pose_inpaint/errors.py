"""Exception for invalid user input."""


class InputError(ValueError):
    """Invalid user input: a configuration key, a file or a folder.

    The message is one line that names the key or file, the value found and a remedy. Commands print it without a
    traceback and exit with status 2.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))
