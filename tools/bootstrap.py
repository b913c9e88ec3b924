"""Set up .venv for the Makefile: find a Python, make the environment, install the package into it.

It needs nothing but the standard library, and it is written so that every Python since 2.7 can read it: an
old one has to get far enough to say in one sentence what is missing.

    python tools/bootstrap.py lab       the package with what the lessons need
    python tools/bootstrap.py test      that, and what the tests need
    python tools/bootstrap.py browser   that, and what the tests in a browser need

A stamp in .venv holds the digest of the pyproject.toml that was installed; while they agree there is nothing
to do. It is written last, so an interrupted installation leaves none.
"""

from __future__ import print_function

import hashlib
import os
import shutil
import subprocess
import sys

OLDEST, NEWEST = (3, 11), (3, 13)  # as requires-python in pyproject.toml
CANDIDATES = ["python3.13", "python3.12", "python3.11", "python3", "python"]
EXTRAS = {"lab": "", "test": "[test]", "browser": "[test,browser]"}

PROBE = """
import sys
try:
    import ensurepip, venv
    complete = 1
except ImportError:
    complete = 0
print("%d %d %d" % (sys.version_info[0], sys.version_info[1], complete))
"""


class Stop(Exception):
    """Set-up cannot go on; the message is the one sentence that the reader sees."""


def look_at(python):
    """Run an interpreter and return ((major, minor), whether it can make environments), or None.

    Being on the PATH is not enough: a version manager leaves names there that fail when they are run.
    """
    try:
        with open(os.devnull, "w") as nowhere:
            said = subprocess.check_output([python, "-c", PROBE], stderr=nowhere).decode("ascii")
        major, minor, complete = [int(word) for word in said.split()]
    except (OSError, ValueError, subprocess.CalledProcessError):
        return None
    return (major, minor), bool(complete)


def dotted(version):
    return "%d.%d" % version


def supported(version):
    return OLDEST <= version <= NEWEST


def choose(given=None, look=look_at):
    """Return (command, version) of the interpreter to build on; `given` is the user's own choice."""
    if given:
        seen = look(given)
        if seen is None:
            raise Stop("PYTHON is %r, which does not run: give the path of a Python." % str(given))
        if not supported(seen[0]):
            raise Stop(
                "PYTHON is %r, which is Python %s, but %s is needed: leave PYTHON out or give another."
                % (str(given), dotted(seen[0]), needed())
            )
    wrong, incomplete = [], []
    for python in [given] if given else CANDIDATES:
        seen = look(python)
        if seen is None:
            continue
        version, complete = seen
        if not supported(version):
            wrong.append("%s is %s" % (python, dotted(version)))
        elif not complete:
            incomplete.append((python, version))
        else:
            return python, version
    if incomplete:
        python, version = incomplete[0]
        raise Stop(
            "%s (Python %s) cannot make environments because its venv module is missing or incomplete: on Debian"
            " and Ubuntu run 'sudo apt install python3-venv python%s-venv', elsewhere install a whole Python."
            % (python, dotted(version), dotted(version))
        )
    raise Stop(
        "%s is needed, but %s: install one (https://www.python.org/downloads/) or name one with PYTHON=."
        % (needed(), " and ".join(wrong) if wrong else "none was found")
    )


def needed():
    return "Python %s to %s" % (dotted(OLDEST), dotted(NEWEST))


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read().decode("utf-8")
    except (OSError, IOError):
        return None


def write(path, text):
    with open(path, "wb") as file:
        file.write(text.encode("utf-8"))


class Environment(object):
    """The .venv of one checkout."""

    def __init__(self, root):
        self.root = root
        self.folder = os.path.join(root, ".venv")
        self.python = os.path.join(self.folder, "bin", "python")
        self.made = os.path.join(self.folder, "made-at")

    def stamp(self, what):
        return os.path.join(self.folder, "installed-for-" + what)

    def digest(self):
        with open(os.path.join(self.root, "pyproject.toml"), "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()

    def fault(self, given, look=look_at):
        """Say what is wrong with the environment, or None if it can be used as it is."""
        if not os.path.lexists(self.folder):
            return "there is none"
        made = (read(self.made) or "").splitlines()
        if len(made) != 2:
            return "it was not finished, or something else made it"
        if made[0] != self.folder:
            return "it was made for another place"
        seen = look(self.python)
        if seen is None or dotted(seen[0]) != made[1]:
            return "its Python is gone"
        wanted = look(given) if given else seen
        if wanted is None or wanted[0] != seen[0]:
            return "PYTHON asks for another version"
        return None

    def make(self, python, version):
        if os.path.islink(self.folder) or os.path.isfile(self.folder):
            os.remove(self.folder)
        elif os.path.isdir(self.folder):
            shutil.rmtree(self.folder)
        call([python, "-m", "venv", self.folder], self.root, "%s could not make .venv" % python)
        write(self.made, "%s\n%s\n" % (self.folder, dotted(version)))

    def installed(self, what):
        digest = self.digest()
        # Each contains what stands before it.
        names = list(EXTRAS)
        return any(read(self.stamp(name)) == digest for name in names[names.index(what) :])

    def install(self, what):
        digest = self.digest()
        for name in EXTRAS:
            if os.path.exists(self.stamp(name)):
                os.remove(self.stamp(name))
        # --compile: otherwise, where bytecode is not written at run time, everything would start twice as slowly.
        command = [self.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--compile"]
        call(
            command + ["--editable", "." + EXTRAS[what]],
            self.root,
            "installing failed; check the network, then run the same command again",
        )
        write(self.stamp(what), digest)


def call(command, root, failure):
    """Run a command quietly; when it fails, show what it said and stop with `failure`."""
    outside = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONHOME", "PIP_USER", "PIP_TARGET", "PIP_PREFIX")
    env = {name: value for name, value in os.environ.items() if name not in outside}
    process = subprocess.Popen(command, cwd=root, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = process.communicate()[0]
    if process.returncode:
        sys.stderr.write(said.decode("utf-8", "replace"))
        raise Stop("Set-up stopped: %s." % failure)


def say(text):
    print(text)
    sys.stdout.flush()


def set_up(root, what, given=None):
    """Make the environment if there is no good one, and install what is not installed yet."""
    environment = Environment(root)
    # A user's PYTHON is checked every time, also when the environment stands already.
    fault = environment.fault(given)
    if given or fault:
        python, version = choose(given)
    if fault:
        say("Making .venv with %s (Python %s), because %s." % (python, dotted(version), fault))
        environment.make(python, version)
    if environment.installed(what):
        say("The environment in .venv is up to date.")
    else:
        say("Installing what pyproject.toml names into .venv (a few minutes the first time).")
        environment.install(what)


def main(arguments):
    if len(arguments) != 1 or arguments[0] not in EXTRAS:
        print("usage: bootstrap.py " + "|".join(sorted(EXTRAS)), file=sys.stderr)
        return 2
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    try:
        set_up(root, arguments[0], os.environ.get("PYTHON"))
    except Stop as stop:
        print(stop, file=sys.stderr)
        return 1
    except (OSError, IOError) as error:
        print("Set-up stopped: %s." % error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Set-up was interrupted; the same command goes on from here.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
