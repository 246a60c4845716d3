"""What the package says when the user's input is at fault."""


class InputError(ValueError):
    """A fault in what the user gave: a key, a file or a folder.

    The message is one line that names the key or file, the value found and the way out. The commands print it without a
    traceback and exit with status 2.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))
