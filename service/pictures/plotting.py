"""matplotlib, loaded when the first picture is drawn. https://matplotlib.org/stable/users/explain/figure/backends.html

Loading costs 0.6 s and 35 MiB; a worker that draws nothing has neither.
"""

from functools import cache
from io import BytesIO
from threading import Lock
from typing import TYPE_CHECKING, Any, Final
from warnings import catch_warnings, filterwarnings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ONE_AT_A_TIME: Final = Lock()
"""matplotlib keeps caches of fonts and paths for the whole process and is not safe to use from several threads."""
_DPI: Final = 72
"""Points are pixels then, in figures as in SVG."""


@cache
def _configured() -> None:
    import matplotlib

    settings = matplotlib.rcParams
    settings["svg.fonttype"] = "none"  # text stays text
    settings["svg.hashsalt"] = "hearth"  # the same picture gets the same ids, and so the same bytes
    settings["font.family"] = ["DejaVu Sans"]  # comes with matplotlib: the same picture on every machine


def figure(width: int, height: int) -> "Figure":
    """An empty figure, measured in pixels."""
    _configured()
    from matplotlib.figure import Figure

    return Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI)


def svg(drawn: "Figure") -> str:
    """The figure as matplotlib writes it in SVG."""
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    return _saved(drawn, format="svg", metadata=nothing).decode()


def png(drawn: "Figure", scale: int, title: str, description: str) -> bytes:
    """The figure as PNG, `scale` pixels to each of its own, with its title and description written into it."""
    metadata = {"Title": title, "Description": description, "Software": None}
    return _saved(drawn, format="png", dpi=_DPI * scale, metadata=metadata)


def _saved(drawn: "Figure", **how: Any) -> bytes:
    """The figure's bytes. A letter that the font lacks is drawn as a frame, in SVG by the reader's own fonts."""
    written = BytesIO()
    with catch_warnings():
        filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        drawn.savefig(written, **how)
    return written.getvalue()
