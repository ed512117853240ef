"""The marks that scipy's own tests wear (test_scipy_suite.py runs them)."""

SCIPY_MARKS = ("skip_xp_backends", "xfail_xp_backends", "array_api_backends", "xfail_on_32bit", "xslow",
               "fail_slow", "parallel_threads_limit", "thread_unsafe", "iterations", "timeout")  # fmt: skip


def pytest_configure(config):
    for mark in SCIPY_MARKS:
        config.addinivalue_line("markers", f"{mark}: scipy's")
