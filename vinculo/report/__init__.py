"""Reports: what became of a campaign, and where the objectives stand."""

from vinculo.report.campaign import Report, campaign_report
from vinculo.report.html import render
from vinculo.report.objective import METRICS, Standing, objectives

__all__ = ["METRICS", "Report", "Standing", "campaign_report", "objectives", "render"]
