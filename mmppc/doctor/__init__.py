"""Is this data set what the configs expect? One file a question.

:mod:`~mmppc.doctor.layout` says where the files are, :mod:`~mmppc.doctor.examine` asks all questions, and each answer
is a :class:`~mmppc.doctor.finding.Finding`.
"""

from mmppc.doctor.examine import examine
from mmppc.doctor.finding import Finding, Section
from mmppc.doctor.layout import Layout, Part, config_layout, folder_layout

__all__ = [
    'Finding',
    'Layout',
    'Part',
    'Section',
    'config_layout',
    'examine',
    'folder_layout',
]
