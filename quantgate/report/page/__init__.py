"""The page that a team puts on its wall: from records, baselines and history to values, and from those to HTML, Markdown and pictures."""

from quantgate.report.page.build import build
from quantgate.report.page.html import html
from quantgate.report.page.markdown import markdown
from quantgate.report.page.values import Page
from quantgate.report.page.writing import write_page

__all__ = ["Page", "build", "html", "markdown", "write_page"]
