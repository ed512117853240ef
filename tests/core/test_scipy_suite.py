"""scipy's own tests with our functions standing in for scipy's.

A private copy of each of scipy's test modules is executed and its names rebound, so that every case below is
scipy's, word for word, and calls conv1d_kit. Cases marked slow by scipy run with -m slow.
"""

import importlib.util

import numpy as np
import pytest
import scipy.signal

from conv1d_kit import deconvolve
from conv1d_kit.core import signal as ours
from conv1d_kit.core import upfirdn


class Stand:
    """scipy.signal as the tests see it, with our functions in front."""

    def __init__(self, functions):
        self.__dict__.update(functions)

    def __getattr__(self, name):
        return getattr(scipy.signal, name)


def scipy_tests(name, functions):
    """The module scipy.signal.tests.<name>, executed anew, in which `functions` stand for scipy's."""
    spec = importlib.util.find_spec(f"scipy.signal.tests.{name}")
    if spec is None:
        pytest.skip("this scipy ships no tests", allow_module_level=True)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.signal = Stand(functions)
    for function in functions:
        if hasattr(module, function):
            setattr(module, function, functions[function])
    return module


FUNCTIONS = {name: getattr(ours, name) for name in ours.__all__} | {"deconvolve": deconvolve}
signaltools = scipy_tests("test_signaltools", FUNCTIONS)
CASES = (
    "TestConvolve",
    "TestConvolve2d",
    "TestFFTConvolve",
    "TestOAConvolve",
    "TestAllFreqConvolves",
    "test_convolve_longdtype_input",
    "TestCorrelateReal",
    "TestCorrelate",
    "test_correlation_lags",
    "TestCorrelateComplex",
    "TestCorrelate2d",
    "TestDeconvolve",
)
for case in CASES:
    if hasattr(signaltools, case):
        globals()[case] = getattr(signaltools, case)

polyphase = scipy_tests("test_upfirdn", {"upfirdn": upfirdn.upfirdn, "_output_len": upfirdn.output_length})
TestUpfirdn = polyphase.TestUpfirdn
modes = TestUpfirdn.test_modes  # parametrised by an iterator, which pytest 9 deprecates
modes.pytestmark = [
    pytest.mark.parametrize(mark.args[0], list(mark.args[1])).mark if mark.name == "parametrize" else mark
    for mark in modes.pytestmark
]
test_output_len_long_input = polyphase.test_output_len_long_input

# parametrised on the functions themselves, which were scipy's when the marks were made
for mark in TestAllFreqConvolves.pytestmark:  # noqa: F821
    if mark.name == "parametrize" and mark.args[0] == "convapproach":
        mark.args[1][:] = [FUNCTIONS["fftconvolve"], FUNCTIONS["oaconvolve"]]
for mark in TestConvolve2d.test_same_with_boundary.pytestmark:  # noqa: F821
    if mark.name == "parametrize" and mark.args[0] == "func":
        mark.args[1][:] = [FUNCTIONS["convolve2d"], FUNCTIONS["correlate2d"]]


@pytest.fixture
def xp():
    """The array library that scipy's tests ask for: NumPy, as scipy wraps it."""
    from scipy._lib._array_api import array_namespace

    return array_namespace(np.empty(0))


def test_no_case_below_calls_scipy_s_own():
    for name, function in FUNCTIONS.items():
        assert getattr(signaltools, name, function) is function
        assert getattr(signaltools.signal, name) is function
        assert function is not getattr(scipy.signal, name)
