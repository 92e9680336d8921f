"""Every suite, in the order of the report."""

from evals.suite import Suite
from evals.suites.chat import SUITE as CHAT
from evals.suites.geometry import SUITE as GEOMETRY
from evals.suites.latency import SUITE as LATENCY
from evals.suites.prompt_enhancement import SUITE as PROMPT_ENHANCEMENT
from evals.suites.style_fidelity import SUITE as STYLE_FIDELITY
from evals.suites.style_retrieval import SUITE as STYLE_RETRIEVAL
from evals.suites.text_fidelity import SUITE as TEXT_FIDELITY
from evals.suites.threshold import SUITE as THRESHOLD
from evals.suites.tradeoff import SUITE as TRADEOFF

SUITES: dict[str, Suite] = {
    suite.name: suite
    for suite in (
        STYLE_RETRIEVAL,
        THRESHOLD,
        GEOMETRY,
        STYLE_FIDELITY,
        TEXT_FIDELITY,
        TRADEOFF,
        PROMPT_ENHANCEMENT,
        CHAT,
        LATENCY,
    )
}
