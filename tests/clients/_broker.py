"""Where the client tests find their server: the real program, or a server that runs already (MQTT_PORT)."""
import contextlib
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scenarios"))
import _server  # noqa: E402


@contextlib.contextmanager
def mqtt_port():
    if "MQTT_PORT" in os.environ:
        yield int(os.environ["MQTT_PORT"])
        return
    with _server.serving() as server:
        yield int(server.port("mqtt"))
        _server.check(server.stop() == 0, "the server did not end with 0")


def python_package(requirement, module):
    """Imports `module`, installed from PyPI into the scratch folder when it is not there; skips without network."""
    try:
        return __import__(module, fromlist=["x"])
    except ImportError:
        target = _server.scratch() / "python"
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target), requirement]
        done = subprocess.run(install, capture_output=True, text=True, timeout=200)
        if done.returncode != 0:
            _server.skip(f"{requirement} cannot be installed: {done.stderr.strip()[-200:]}")
        sys.path.insert(0, str(target))
        return __import__(module, fromlist=["x"])
