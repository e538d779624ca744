"""What people do with jobs."""

from __future__ import annotations

from . import retention, transcripts
from .analyses import AnalysisService
from .jobs import JobService
from .retention import Retention
from .transcripts import TranscriptService

__all__ = ["AnalysisService", "JobService", "Retention", "TranscriptService", "retention", "transcripts"]
