"""Draw every picture that the site has: python docs/draw.py."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ("docs/figures.py", "docs/performance_figure.py", "studies/draw.py")

if __name__ == "__main__":
    for script in SCRIPTS:
        subprocess.run([sys.executable, str(ROOT / script)], check=True)
