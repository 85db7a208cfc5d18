"""Makes a script run on this checkout's own Python, with the library on its path.

Kept to old syntax: any python3 may begin to run it.
"""

import os
from pathlib import Path
import subprocess
import sys

ROOT = Path(__file__).resolve().parent.parent
LIB = ROOT / "custom_components" / "blupow" / "lib"
PYTHON = ROOT / ".venv" / "bin" / "python"


def enter():
    # type: () -> None
    """Set the checkout up if need be and go on in its Python."""
    if Path(sys.prefix) != ROOT / ".venv":
        code = subprocess.run([str(ROOT / "scripts" / "setup")], check=False).returncode
        if code:
            sys.exit(code)
        os.execv(str(PYTHON), [str(PYTHON), *sys.argv])
    sys.path[:0] = [str(LIB), str(ROOT)]


enter()
