"""Reports: a result, a bench or a sweep as one HTML file that needs no network.

``contents`` collects what a report shows, ``write`` puts it into the page, and ``page.html`` is the page.
"""

from supernode.page.write import write_report

__all__ = ["write_report"]
