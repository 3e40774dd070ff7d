"""What a run directory is, evaluating one, and its report.

`evaluate` measures the rankings of a run, `report` writes the result to files: what
`wsdhq evaluate` does.
"""

from wsdhq.embed.run_directory import RunDirectory
from wsdhq.runs.evaluation import Evaluation, MethodResult
from wsdhq.runs.measuring import evaluate
from wsdhq.runs.report_files import report

__all__ = ["Evaluation", "MethodResult", "RunDirectory", "evaluate", "report"]
