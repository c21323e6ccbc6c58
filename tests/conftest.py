"""Rules for all tests: few threads, browser tests where Chromium is, no silent skips.

MLSCOPE_NO_SKIP=1 (set by .ci/run) turns every skipped test into a failed one.
"""

import os

# Before numpy, numba or torch is imported: small tests lose more by starting threads than they win.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import pytest

from mlscope_nb.doctor import find_chromium

# Scripts that run in the environment of another tool; what they wrote beside themselves is what tests read.
collect_ignore_glob = ["reference/peers_*.py"]
NO_CHROMIUM = "Chromium not found. Install: apt-get install chromium"


def skips_are_failures() -> bool:
    return os.environ.get("MLSCOPE_NO_SKIP", "") not in ("", "0")


def pytest_collection_modifyitems(items):
    # Last: Playwright keeps an event loop running in this thread, and views behave otherwise when there is one.
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)
    if find_chromium() is None:
        for item in items:
            if item.get_closest_marker("browser"):
                item.add_marker(pytest.mark.skip(reason=NO_CHROMIUM))


def refuse_skip(report):
    """Make a skipped report a failed one that says why; an expected failure is no skip."""
    if report.skipped and not hasattr(report, "wasxfail") and skips_are_failures():
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid}\nMLSCOPE_NO_SKIP is set, yet this was skipped. {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    report = yield
    refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    report = yield
    refuse_skip(report)
    return report


def pytest_terminal_summary(terminalreporter):
    skipped = [r for r in terminalreporter.stats.get("skipped", []) if NO_CHROMIUM in str(r.longrepr)]
    if skipped:
        plural = "s" if len(skipped) > 1 else ""
        terminalreporter.write_line(f"{len(skipped)} browser test{plural} skipped: {NO_CHROMIUM}", yellow=True)
