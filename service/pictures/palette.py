"""The colours of the pictures by what they are for, in light and in dark. https://www.w3.org/TR/WCAG22/#contrast-minimum

Text has at least 4.5:1 on paper. The hues stay apart for people who see few colours, and none of them says anything
alone: shape, place or a word says it too. No two roles have the same colour, so that a role can be told by it.
"""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

Theme: TypeAlias = Literal["auto", "light", "dark"]
THEMES: Final[Mapping[str, Theme]] = {"auto": "auto", "light": "light", "dark": "dark"}
Role: TypeAlias = Literal[
    "paper", "ink", "soft", "line", "faint", "first", "second", "third", "fourth", "pale",
    "band-1", "band-2", "band-3", "band-4", "band-5",
]  # fmt: skip

LIGHT: Final[Mapping[Role, str]] = {
    "paper": "#ffffff",
    "ink": "#1d2421",
    "soft": "#56605b",
    "line": "#d9d6cc",
    "faint": "#b9beb9",
    "first": "#1f6f5c",
    "second": "#a8500f",
    "third": "#4b4fa6",
    "fourth": "#8b2f63",
    "pale": "#9dc4b7",
    "band-1": "#fbfaf6",
    "band-2": "#f4f1e8",
    "band-3": "#ece7d9",
    "band-4": "#e3dbc8",
    "band-5": "#d9ceb6",
}
DARK: Final[Mapping[Role, str]] = {
    "paper": "#1c211f",
    "ink": "#e9ece8",
    "soft": "#aab4ae",
    "line": "#3b4440",
    "faint": "#6d7771",
    "first": "#7ccbb3",
    "second": "#f0b27a",
    "third": "#b5b8f5",
    "fourth": "#eba5cf",
    "pale": "#3f6b5f",
    "band-1": "#202624",
    "band-2": "#272d29",
    "band-3": "#2f352e",
    "band-4": "#3a3d33",
    "band-5": "#464638",
}
LINES: Final[tuple[Role, ...]] = ("first", "second", "third", "fourth")
"""The colours of lines that stand beside each other."""
BANDS: Final[tuple[Role, ...]] = ("band-1", "band-2", "band-3", "band-4", "band-5")
"""The shades of bands, from the lowest."""


def colours(theme: Theme) -> Mapping[Role, str]:
    """What a picture is drawn with; one that follows its reader's theme is drawn in light."""
    return DARK if theme == "dark" else LIGHT
