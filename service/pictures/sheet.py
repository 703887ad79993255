"""A sheet to draw on in pixels from its upper left corner, with colours by what they are for.

https://matplotlib.org/stable/api/axes_api.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from service.pictures import palette, plotting
from service.pictures.characters import printable
from service.pictures.palette import Role, Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARGIN: Final = 20
TEXT: Final = 13
_TITLE: Final = 16
_TITLE_LINE: Final = 21
_BELOW_LINE: Final = 18
_EM: Final = 0.6
"""How wide a letter is on the average, of its height."""
Shape: TypeAlias = str | tuple[tuple[float, float], ...]
_LAYERS: Final = {"box": 1, "line": 2, "dots": 3, "text": 4}


@dataclass(frozen=True, slots=True)
class Span:
    """From values to pixels."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        width = (self.high - self.low) or 1
        return self.start + (value - self.low) / width * (self.end - self.start)


def lines_of(text: str, size: float, width: float, most: int = 2) -> list[str]:
    """The text in at most so many lines of a width; what does not fit is cut off with an ellipsis."""
    letters = max(4, int(width / (size * _EM)))
    return wrap(text, letters, max_lines=most, placeholder="…") or [""]


def width_of(text: str, size: float = TEXT) -> float:
    """About how wide a line of text is."""
    return len(text) * size * _EM


def head_height(title: str, below: str, width: float) -> int:
    """How high the title and what is said below it are, with the space around them."""
    return MARGIN + len(_title_lines(title, width)) * _TITLE_LINE + len(_below_lines(below, width)) * _BELOW_LINE + 8


def _title_lines(title: str, width: float) -> list[str]:
    return lines_of(title, _TITLE * 1.08, width - 2 * MARGIN)


def _below_lines(below: str, width: float) -> list[str]:
    return lines_of(below, TEXT, width - 2 * MARGIN) if below else []


class Sheet:
    """What a picture is drawn on; `width` and `height` are in pixels."""

    def __init__(self, width: int, height: int, theme: Theme) -> None:
        self.width, self.height = width, height
        self._colours: Mapping[Role, str] = palette.colours(theme)
        self.figure: Figure = plotting.figure(width, height)
        self.figure.patch.set_facecolor(self._colours["paper"])
        self._axes: Axes = self.figure.add_axes((0, 0, 1, 1))
        self._axes.set_axis_off()
        self._axes.set_xlim(0, width)
        self._axes.set_ylim(height, 0)
        self._axes.set_autoscale_on(False)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = TEXT,
        role: Role = "ink",
        bold: bool = False,
        at: Literal["left", "center", "right"] = "left",
        on: Literal["baseline", "center", "top", "bottom"] = "baseline",
    ) -> None:
        """A line of text. Nothing in it is read as mathematics."""
        self._axes.text(
            x, y, printable(text), fontsize=size, color=self._colours[role], ha=at, fontweight="bold" if bold else "normal",
            va="center_baseline" if on == "center" else on, parse_math=False, zorder=_LAYERS["text"],
        )  # fmt: skip

    def line(
        self, xs: Sequence[float], ys: Sequence[float], role: Role, width: float = 2, dashes: tuple[float, ...] = ()
    ) -> None:
        """A line through points; it breaks where a y is not a number."""
        style: Any = (0, dashes) if dashes else "solid"
        self._axes.plot(
            xs, ys, color=self._colours[role], linewidth=width, linestyle=style, solid_capstyle="round",
            solid_joinstyle="round", zorder=_LAYERS["line"],
        )  # fmt: skip

    def dots(
        self, xs: Sequence[float], ys: Sequence[float], role: Role, *, shape: Shape = "o", size: float = 7,
        fill: Role | None = None, edge: float = 1.75,
    ) -> None:  # fmt: skip
        """Marks of a shape, of matplotlib's or by its corners; filled with their own colour, or with another."""
        self._axes.plot(
            xs, ys, linestyle="none", marker=shape, markersize=size, markeredgewidth=edge, zorder=_LAYERS["dots"],
            markeredgecolor=self._colours[role], markerfacecolor=self._colours[fill or role],
        )  # fmt: skip

    def ring(self, x: float, y: float, role: Role) -> None:
        """A circle around a point."""
        self._axes.plot(
            [x], [y], linestyle="none", marker="o", markersize=15, markeredgewidth=1.5, markerfacecolor="none",
            markeredgecolor=self._colours[role], zorder=_LAYERS["dots"],
        )  # fmt: skip

    def box(self, x: float, y: float, width: float, height: float, fill: Role | None, edge: Role | None = None) -> None:
        """A rectangle."""
        from matplotlib.patches import Rectangle

        colours = self._colours
        self._axes.add_patch(
            Rectangle(
                (x, y), width, height, facecolor=colours[fill] if fill else "none",
                edgecolor=colours[edge] if edge else "none", linewidth=1.5 if edge else 0, zorder=_LAYERS["box"],
            )
        )  # fmt: skip

    def head(self, title: str, below: str = "") -> float:
        """The title and what is said below it; how high they are."""
        y = MARGIN + _TITLE - 2.0
        for line in _title_lines(title, self.width):
            self.text(MARGIN, y, line, size=_TITLE, bold=True)
            y += _TITLE_LINE
        for line in _below_lines(below, self.width):
            self.text(MARGIN, y, line, role="soft")
            y += _BELOW_LINE
        return head_height(title, below, self.width)
