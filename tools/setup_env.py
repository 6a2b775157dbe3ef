"""Make the virtual environment of the course, or mend it: python tools/setup_env.py

Most tasks of course.py begin with it. It looks at what is installed, and remembers which Python and which PaddlePaddle
(CPU or GPU) were chosen; only another of these, or an environment that cannot be started, is a reason to make it anew.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from palm_course import supported  # noqa: E402

WINDOWS = os.name == "nt"
REQUIREMENTS = {"cpu": "requirements.txt", "gpu": "requirements-gpu.txt"}
STAMP = "palm-setup.txt"  # in the environment: its Python, its requirements file, and what made palm_utils
EDITABLE = ["install", "--no-deps", "-e", str(ROOT)]
INSTALLED = ROOT / "palm_course" / "installed.py"
# Variables that let pip install, or look for what is installed, elsewhere than in the environment.
ELSEWHERE = {"PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_PYTHON", "PYTHONPATH", "PYTHONHOME"}
# What to do about what pip or Python says; the first that fits. A lack of network also ends in "no version".
ADVICE = {
    "No space left|not enough space|quota exceeded": "The disk is full. Make room (about 3 GB).",
    "DO NOT MATCH THE HASHES": "A file came damaged, or a mirror has another one: pip cache purge.",
    "CERTIFICATE|SSLError": "The connection is not trusted. A proxy in between needs its certificate: PIP_CERT=FILE.",
    r"HTTP error 4\d\d|40[137] Client Error|failed: 4": "The server refuses. Look at the address of the index or "
    "mirror (pip config list), and at the name and password of a proxy.",
    "NewConnection|[Tt]imed? ?out|Max retries|name resolution|getaddrinfo|ProxyError|Connection (broken|aborted|reset)":
    "There is no connection to PyPI, or a slow one. Behind a proxy set HTTPS_PROXY; far from PyPI set a mirror: "
    "pip config set global.index-url ADDRESS",
    "No matching distribution|satisfies the requirement": "The index has no version that fits this Python and machine. "
    "A mirror (pip config list) may be behind PyPI: take another.",
    "Permission denied|Access is denied|WinError (5|32)": "Files could not be replaced. Close what uses the "
    "environment (JupyterLab, VS Code), and see that its folder is yours.",
    "status -9": "It was ended from outside, probably for want of memory. Close other programs.",
    "status (-4|3221225501)": "The processor lacks instructions (AVX) that PaddlePaddle needs: take another machine.",
    r"lib\w+\.so": "A library of the system is missing. On Debian and Ubuntu: apt install libgomp1.",
    "DLL load failed|WinError 126": "Install the Visual C++ Redistributable from Microsoft.",
}  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv")
    parser.add_argument("--paddle", default="", help="cpu or gpu; by default as before, or by what is here")
    parser.add_argument("--requirements", type=Path, help="another requirements file than the two of the course")
    parser.add_argument("--any-python", action="store_true", help="keep the environment's Python, whichever it is")
    args = parser.parse_args()
    set_up(args.venv, args.paddle, args.requirements, args.any_python)


def set_up(venv, paddle="", requirements=None, any_python=False):
    """Make the environment, or mend what is missing in it; end the program with advice where that fails."""
    before = read_stamp(venv)
    requirements = requirements or ROOT / choose_requirements(paddle, before)
    build = build_of(requirements.name)
    same = before and build_of(before[1]) == build and (any_python or before[0] == python_id())
    state = look_at(venv, requirements) if same else None
    if state is None:
        check_python(build)
        print("Setting up", venv.name, "with Python", sys.version.split()[0], "and", requirements.name, flush=True)
        make_venv(venv)
        steps, python = [["install", "-r", str(requirements)], EDITABLE], python_id()
    else:
        steps, python = mending(state, requirements, before[2] != fingerprint()), before[0]
        if not steps:
            return
        found = ", ".join(name for names in state.values() for name in names)
        print("Mending", venv.name + ":", found or "palm_utils is installed again", flush=True)
    for step in steps:
        pip(venv, step)
    if steps != [EDITABLE]:
        compile_packages(venv)
    check(venv, requirements, [python, requirements.name])
    print("Set up. `python course.py lab` (or `make lab`) opens the course, `test` checks it.", flush=True)


def mending(state, requirements, changed):
    """Return what pip has to do for what look_at() found; changed: whether what makes palm_utils has."""
    steps = []
    if state["rivals"]:
        steps.append(["uninstall", "-y", *state["rivals"]])
    damaged = [one for one in state["damaged"] if not one.startswith("palm-utils==")]
    if damaged:
        steps.append(["install", "--force-reinstall", "--no-deps", *damaged])
    if steps or [name for name in state["missing"] if name != "palm-utils"]:
        steps.append(["install", "-r", str(requirements)])
    if changed or "palm-utils" in state["missing"] or len(damaged) < len(state["damaged"]):
        steps.append(EDITABLE)
    return steps


def look_at(venv, requirements, *options):
    """Return what is wrong with what is installed (see installed.py), or None where no Python answers there."""
    scripts = venv_python(venv).parent
    places = {os.fsencode(str(scripts.absolute())), os.fsencode(str(scripts.resolve()))}
    try:
        # The programs of an environment know where it was made; a folder that was moved is made anew.
        program = (scripts / ("pip.exe" if WINDOWS else "pip")).read_bytes().lower()
        if not any(place.lower() in program for place in places):
            return None
        command = [str(venv_python(venv)), "-I", str(INSTALLED), str(requirements), *options]
        run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        if run.returncode and options:  # an import that ended Python itself
            return {"broken": f"Python ended with status {run.returncode}"}
        return json.loads(run.stdout.decode().splitlines()[-1])
    except (OSError, ValueError, IndexError):
        return None


def check(venv, requirements, made_with):
    """Look whether all is there and can be imported; only then is the set-up finished."""
    found = look_at(venv, requirements, "--import") or {"broken": "Python does not start"}
    faults = {what: names for what, names in found.items() if names}
    text = "\n".join([*made_with, "" if faults else fingerprint(), ""])
    (venv / STAMP).write_text(text, encoding="utf-8", errors="surrogateescape")
    if faults:
        sys.exit(f"Installed, but not usable: {faults}\n{advice_for(str(faults))}")


def read_stamp(venv):
    """Return [Python, requirements file, fingerprint] of a finished set-up, None where there is none."""
    try:
        lines = (venv / STAMP).read_text(encoding="utf-8", errors="surrogateescape").split("\n")
    except OSError:
        return None
    return lines[:3] if len(lines) == 4 else None


def python_id():
    return sys.base_prefix + " " + sys.version.split()[0]


def fingerprint():
    """Text that changes when palm_utils has to be installed again: with its place, its metadata, its requirements."""
    digest = hashlib.sha256(os.fsencode(str(ROOT)))  # a folder's name need not be text in any encoding
    for name in ("requirements-common.txt", "pyproject.toml"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def check_python(build):
    """End the program where this Python cannot carry the course, with a Python that can or where to get one."""
    reason = supported.why_not(build)
    if reason:
        sys.exit(reason + "\n" + supported.remedy(build))
    if supported.MACHINES[supported.machine()]:
        print("Note: " + supported.MACHINES[supported.machine()] + "; the course has not been tried there.")


def build_of(name):
    return "gpu" if name == REQUIREMENTS["gpu"] else "cpu"


def choose_requirements(paddle, before=None):
    """Return the requirements file: the one asked for, else the one chosen before, else by the GPU."""
    if paddle in REQUIREMENTS:
        return REQUIREMENTS[paddle]
    if paddle:
        sys.exit(f"PADDLE is {paddle!r}; it can be cpu or gpu")
    if before is not None and before[1] in (*REQUIREMENTS.values(), "requirements-lock.txt"):
        return before[1]
    if not supported.has_nvidia_gpu():
        return REQUIREMENTS["cpu"]
    why_not = supported.why_not_this_gpu()
    print(why_not or "An NVIDIA GPU is here", end=": ")
    print("taking the CPU build. README.md says where another comes from." if why_not else
          "taking requirements-gpu.txt (PADDLE=cpu for the CPU build).")  # fmt: skip
    return REQUIREMENTS["cpu" if why_not else "gpu"]


def make_venv(folder):
    """Make a fresh environment; one that this program made before is replaced, nothing else ever is."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / supported.STARTED).exists():
        sys.exit(
            f"{folder} is there, and not made by this program: it is left alone. Move it away, or choose another "
            "place: python course.py setup --venv .venv-course   (with make: make setup VENV=.venv-course)"
        )
    # Packages of another PaddlePaddle build or another Python must not stay behind.
    shutil.rmtree(str(folder), ignore_errors=True)
    if folder.is_dir() and any(folder.iterdir()):
        sys.exit(f"{folder} is in use: close what runs in it (JupyterLab, VS Code), then run this again.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / supported.STARTED).write_text("made by tools/setup_env.py\n", encoding="utf-8")
    except OSError as error:  # a clone that is read-only, a full disk
        sys.exit(
            f"{folder} cannot be written ({error}). Choose another place: python course.py setup --venv FOLDER   "
            "(with make: make setup VENV=FOLDER)"
        )
    made = subprocess.run([sys.executable, "-m", "venv", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if made.returncode:
        output = made.stdout.decode(errors="replace")  # in whatever encoding the system speaks
        sys.exit(
            sys.executable + " could not make a virtual environment:\n" + output
            + "\nOn Debian and Ubuntu, install the package python{}.{}-venv.".format(*sys.version_info)
        )  # fmt: skip


def venv_python(folder):
    return folder / ("Scripts/python.exe" if WINDOWS else "bin/python")


def pip(venv, arguments):
    """Run pip in the environment; end the program with advice where it fails."""
    # What it would compile on one core, compile_packages compiles on all.
    options = ["--quiet", *(["--no-compile"] if arguments[0] == "install" else [])]
    command = [str(venv_python(venv)), "-m", "pip", arguments[0], *options, *arguments[1:]]
    said = ""
    process = subprocess.Popen(command, env=pip_environment(venv), stderr=subprocess.PIPE)
    for line in process.stderr:
        said += line.decode(errors="replace")
        print(line.decode(errors="replace"), end="", file=sys.stderr, flush=True)
    if process.wait():
        advice = advice_for(f"{said} status {process.returncode}")
        sys.exit(f"pip could not install the packages; its message is above. {advice}\nThen run this again.")


def advice_for(said):
    return next((advice for pattern, advice in ADVICE.items() if re.search(pattern, said)), "")


def pip_environment(venv):
    """Return variables for pip, which hold for the second pip that builds palm_utils, too: settings but ELSEWHERE."""
    # `pip config list` leaves out the file that PIP_CONFIG_FILE names.
    code = "import json; from pip._internal.configuration import Configuration as C; c = C(False); c.load(); "
    command = [str(venv_python(venv)), "-I", "-c", code + "print(json.dumps(list(c.items())))"]
    listed = json.loads(subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout or b"[]")
    # What is set for "install" counts more than what is "global", and variables more than both.
    settings = [(key.partition("."), value) for key, value in sorted(listed) if key.startswith(("global.", "install."))]
    environment = {"PIP_" + key[2].upper().replace("-", "_"): value for key, value in settings}
    environment.update(os.environ, PIP_CONFIG_FILE=os.devnull, PIP_DISABLE_PIP_VERSION_CHECK="1")
    return {name: value for name, value in environment.items() if name not in ELSEWHERE}


def compile_packages(venv):
    """Compile every module now.

    Where PYTHONDONTWRITEBYTECODE is set, as in many containers, each kernel would do so again, for some ten seconds.
    """
    command = [str(venv_python(venv)), "-m", "compileall", "-qq", "-j", "0", str(venv / ("Lib" if WINDOWS else "lib"))]
    # Templates among the files cannot be compiled, and nobody imports those.
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main())
