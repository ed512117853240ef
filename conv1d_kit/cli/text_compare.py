"""x"""


def compare() -> None:
    """y"""
