"""Exception for invalid user input, and the first line of any other."""


class InputError(ValueError):
    """Invalid user input: a configuration key, a file or a folder.

    The message is one line that names the key or file, the value found and a remedy. Commands print it without a
    traceback and exit with status 2.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


def first_line(error: BaseException) -> str:
    """First line of an exception's message, or the name of its type if it has none."""
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
