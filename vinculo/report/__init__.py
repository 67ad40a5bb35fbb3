"""Reports: what became of a campaign, and where the objectives stand."""

from vinculo.report.campaign import Report, campaign_report
from vinculo.report.html import render
from vinculo.report.objective import METRICS, Standing, objectives
from vinculo.report.summary import headline, markdown, publish, recent

__all__ = [
    "METRICS",
    "Report",
    "Standing",
    "campaign_report",
    "headline",
    "markdown",
    "objectives",
    "publish",
    "recent",
    "render",
]
