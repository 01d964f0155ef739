"""A page about a run: ``mmppc report``."""

from mmppc.report.page import write_report

__all__ = ['write_report']
