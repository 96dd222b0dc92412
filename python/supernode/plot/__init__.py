"""Charts of what runs found, written as PNG and SVG without a browser.

They need the extra ``plot``: ``pip install 'supernode[plot]'``. Pictures of fabrics are :meth:`supernode.System.plot`.

**Limits.** A chart holds at most :data:`MAX_POINTS` points. Curves of more are refused; links and points of sweeps are
gathered into cells first, so their number does not matter.
"""

from supernode.plot.curves import busbw_chart, dips, latency_chart, time_chart
from supernode.plot.front import pareto_chart
from supernode.plot.heat import link_chart
from supernode.plot.measured import comparison_chart
from supernode.plot.save import chart_png, chart_svg, save_chart
from supernode.plot.scaling import scaling_chart
from supernode.plot.style import MARKERS, MAX_POINTS
from supernode.plot.timeline import timeline_chart

__all__ = [
    "MARKERS",
    "MAX_POINTS",
    "busbw_chart",
    "chart_png",
    "chart_svg",
    "comparison_chart",
    "dips",
    "latency_chart",
    "link_chart",
    "pareto_chart",
    "save_chart",
    "scaling_chart",
    "time_chart",
    "timeline_chart",
]
