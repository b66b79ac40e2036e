"""What the figures were measured on, and what its disk can do: without these a figure means nothing."""
import os
import platform
import subprocess
import time
from pathlib import Path


def first_line(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
        return (done.stdout + done.stderr).strip().splitlines()[0]
    except (OSError, IndexError, subprocess.TimeoutExpired):
        return "not there"


def describe(folder):
    """One line: processor, cores, memory, kernel, file system of `folder`, load before the run."""
    info = Path("/proc/cpuinfo").read_text()
    models = [line.split(":", 1)[1].strip() for line in info.splitlines() if line.startswith("model name")]
    model = models[0] if models else platform.machine()
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 2**20
    mount = first_line(["findmnt", "-no", "FSTYPE", "-T", str(folder)])
    return (f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB, Linux {platform.release()}, {mount}, "
            f"load average before the run {os.getloadavg()[0]:.2f}")


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def sync_times(folder, seconds):
    """{what: (p50 ms, p99 ms)} of one write and fdatasync: what a durable acknowledgement costs at least, once per batch."""
    path = Path(folder) / "fdatasync.probe"
    found = {}
    cases = (("append 4 KiB", 4096, False), ("overwrite 4 KiB", 4096, True), ("overwrite 64 KiB", 65536, True))
    for name, size, overwrite in cases:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        block, room, at, times = os.urandom(size), 64 << 20, 0, []
        if overwrite:
            for offset in range(0, room, 1 << 20):
                os.pwrite(fd, bytes(1 << 20), offset)
            os.fsync(fd)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            start = time.perf_counter()
            os.pwrite(fd, block, at)
            os.fdatasync(fd)
            times.append((time.perf_counter() - start) * 1000)
            at = (at + size) % room
        os.close(fd)
        found[name] = (percentile(times, 0.5), percentile(times, 0.99))
    path.unlink()
    return found
