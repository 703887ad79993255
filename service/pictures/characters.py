"""Characters that can be shown. https://www.w3.org/TR/xml/#charsets"""

from typing import Final
from unicodedata import category

_NONE: Final = ("Cc", "Cn", "Co", "Cs")


def printable(text: str) -> str:
    """The text without control characters and what Unicode has not assigned: no font has them, and XML not all of them.

    Line breaks stay, a tab becomes a space.
    """
    if text.isprintable():
        return text
    text = text.replace("\r\n", "\n").replace("\t", " ")
    return "".join(each for each in text if each == "\n" or category(each) not in _NONE)
