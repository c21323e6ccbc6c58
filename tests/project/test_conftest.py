"""The rules of tests/conftest.py, tried on small test files of their own."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

RULES = (Path(__file__).parents[1] / "conftest.py").read_text(encoding="utf-8")
BROWSER_TEST = """
import pytest

@pytest.mark.browser
def test_page():
    pass

def test_plain():
    pass
"""


@pytest.fixture
def rules(pytester, monkeypatch):
    monkeypatch.delenv("MLSCOPE_NO_SKIP", raising=False)
    pytester.makeconftest(RULES)
    pytester.makeini("[pytest]\nmarkers = browser")
    return pytester


@pytest.fixture
def without_chromium(monkeypatch):
    monkeypatch.setenv("MLSCOPE_CHROMIUM", "/no/such/browser")


def test_browser_tests_are_skipped_aloud_without_chromium(rules, without_chromium):
    rules.makepyfile(BROWSER_TEST)
    result = rules.runpytest_inprocess()
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["1 browser test skipped: Chromium not found. Install: apt-get install chromium"])


def test_browser_tests_run_with_chromium(rules, monkeypatch, tmp_path):
    browser = tmp_path / "chromium"
    browser.touch()
    monkeypatch.setenv("MLSCOPE_CHROMIUM", str(browser))
    rules.makepyfile(BROWSER_TEST)
    rules.runpytest_inprocess().assert_outcomes(passed=2)


def test_browser_tests_run_last(rules, monkeypatch, tmp_path):
    (tmp_path / "browser").touch()
    monkeypatch.setenv("MLSCOPE_CHROMIUM", str(tmp_path / "browser"))
    rules.makepyfile(BROWSER_TEST)
    result = rules.runpytest_inprocess("-v")
    result.stdout.fnmatch_lines(["*test_plain PASSED*", "*test_page PASSED*"])


def test_no_skip_turns_a_missing_browser_into_a_failure(rules, without_chromium, monkeypatch):
    monkeypatch.setenv("MLSCOPE_NO_SKIP", "1")
    rules.makepyfile(BROWSER_TEST)
    result = rules.runpytest_inprocess()
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*MLSCOPE_NO_SKIP is set*Chromium not found*"])


@pytest.mark.parametrize(
    "body",
    [
        "import pytest\n\ndef test_x():\n    pytest.skip('no data')",
        "import pytest\n\n@pytest.fixture\ndef d():\n    pytest.skip('no data')\n\ndef test_x(d):\n    pass",
        "import pytest\n\npytest.skip('no data', allow_module_level=True)",
    ],
    ids=["in the test", "in a fixture", "whole module"],
)
def test_no_skip_refuses_every_kind_of_skip(rules, monkeypatch, body):
    rules.makepyfile(body)
    assert rules.runpytest_inprocess().ret in (0, 5)
    monkeypatch.setenv("MLSCOPE_NO_SKIP", "1")
    result = rules.runpytest_inprocess()
    assert result.ret not in (0, 5)
    result.stdout.fnmatch_lines(["*MLSCOPE_NO_SKIP is set*no data*"])


def test_an_expected_failure_is_no_skip(rules, monkeypatch):
    monkeypatch.setenv("MLSCOPE_NO_SKIP", "1")
    rules.makepyfile("import pytest\n\n@pytest.mark.xfail\ndef test_x():\n    raise ValueError")
    rules.runpytest_inprocess().assert_outcomes(xfailed=1)
