"""On AMD's processors PaddlePaddle's library is told to use AVX2; everywhere else nothing is said."""

import os
import subprocess
import sys

import pytest

from palm_utils import kernels

EPYC = "processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC\nflags\t\t: fpu sse2 fma avx2 avx512f\n"
XEON = EPYC.replace("AuthenticAMD", "GenuineIntel")


@pytest.mark.parametrize(
    ("cpuinfo", "identifier", "expected"),
    [
        (EPYC, "", True),
        (XEON, "", False),
        (EPYC.replace(" avx2", ""), "", False),
        (EPYC.replace(" fma", " fma4"), "", False),
        (EPYC.replace("flags", "Features"), "", False),
        ("", "AMD64 Family 25 Model 33 Stepping 2, AuthenticAMD", True),
        ("", "AMD64 Family 23 Model 1 Stepping 1, AuthenticAMD", True),
        ("", "AMD64 Family 21 Model 2 Stepping 0, AuthenticAMD", False),
        ("", "Intel64 Family 6 Model 158 Stepping 10, GenuineIntel", False),
        ("", "", False),
    ],
    ids=["EPYC", "Xeon", "no AVX2", "no FMA", "no flags", "Zen 3", "Zen", "Piledriver", "Core", "macOS"],
)
def test_only_amd_with_avx2_is_meant(cpuinfo, identifier, expected):
    assert kernels.is_amd_with_avx2(cpuinfo, identifier) is expected


@pytest.mark.parametrize(("cpuinfo", "left"), [(EPYC, {kernels.VARIABLE: "5"}), (XEON, {})], ids=["EPYC", "Xeon"])
def test_the_variable_is_set_where_it_helps(monkeypatch, cpuinfo, left):
    monkeypatch.setattr(kernels, "_cpuinfo", lambda: cpuinfo)
    environment = {}
    kernels.use_at_import(environment)
    assert environment == left


@pytest.mark.parametrize("value", ["4", ""])
def test_what_the_user_has_set_stays(monkeypatch, value):
    monkeypatch.setattr(kernels, "_cpuinfo", lambda: EPYC)
    environment = {kernels.VARIABLE: value}
    kernels.use_at_import(environment)
    assert environment == {kernels.VARIABLE: value}


def test_a_system_without_cpuinfo_is_left_alone(monkeypatch, tmp_path):
    monkeypatch.setattr(kernels, "Path", lambda name: tmp_path / "none")
    environment = {}
    kernels.use_at_import(environment)
    assert environment == {}


def test_importing_the_package_does_it_before_paddle_is_imported():
    code = (
        "import os, sys; from palm_utils import kernels; assert 'paddle' not in sys.modules\n"
        "meant = kernels.is_amd_with_avx2(kernels._cpuinfo(), os.environ.get('PROCESSOR_IDENTIFIER', ''))\n"
        "print(os.environ.get(kernels.VARIABLE) == ('5' if meant else None))"
    )
    environment = {name: value for name, value in os.environ.items() if name != kernels.VARIABLE}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
