"""A virtual environment with the Python clients from PyPI, kept between runs."""
import subprocess
import sys
import venv
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scenarios"))
from _server import SOURCE, skip  # noqa: E402

PACKAGES = ["confluent-kafka==2.16.1", "kafka-python==3.0.12", "lz4==4.4.5", "python-snappy==0.7.3", "zstandard==0.25.0"]


def environment():
    """The path of its interpreter."""
    folder = SOURCE / "build" / "clients-python"
    python, stamp = folder / "bin" / "python", folder / "packages"
    if not stamp.exists() or stamp.read_text() != " ".join(PACKAGES):
        venv.create(folder, with_pip=True, clear=True)
        done = subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES],
                              capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            skip(f"pip could not install the clients: {done.stderr.strip().splitlines()[-1:]}")
        stamp.write_text(" ".join(PACKAGES))
    return python
