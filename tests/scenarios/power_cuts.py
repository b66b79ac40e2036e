"""Twenty power cuts of a real ext4: a file system in an image is shut down with everything unsynced lost, under load.

The cut is ext4's own shutdown ioctl (EXT4_IOC_SHUTDOWN): what was fsynced is there after the next mount, what was only written
is not. In turn without and with a flush of the file system's own journal: the second keeps new sizes and names whose bytes never
came, so files end in zeros. After each cut the offline check must find nothing damaged.

Needs root and loop mounts; skipped with the reason where they are missing."""
# timeout: 600
import fcntl
import os
import struct
import subprocess

from _crash import Fleet, verify
from _server import Server, check, need, scratch, skip

EXT4_IOC_SHUTDOWN = 0x8004587D
LOG_FLUSH, NO_LOG_FLUSH = 1, 2


class Disk:
    def __init__(self, megabytes):
        self.image, self.mount_point, self.mounted = scratch() / "disk.img", scratch() / "disk", False
        self.mount_point.mkdir(exist_ok=True)
        with open(self.image, "wb") as image:
            image.truncate(megabytes << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", str(self.image)], check=True, capture_output=True)

    def mount(self):
        done = subprocess.run(["mount", "-o", "loop", str(self.image), str(self.mount_point)], capture_output=True, text=True)
        if done.returncode:
            skip(f"no loop mount here: {done.stderr.strip()}")
        self.mounted = True

    def cut(self, flag):
        descriptor = os.open(self.mount_point, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, EXT4_IOC_SHUTDOWN, struct.pack("I", flag))
        except OSError as error:
            skip(f"no ext4 shutdown here: {error}")
        finally:
            os.close(descriptor)

    def unmount(self):
        if self.mounted:
            subprocess.run(["umount", str(self.mount_point)], check=True, capture_output=True)
            self.mounted = False


def main():
    if os.geteuid() != 0:
        skip("mounting a file system needs root")
    need("mkfs.ext4", "kcat")
    cuts = int(os.environ.get("MILLRACE_POWER_CUTS", "20"))
    disk = Disk(1024)
    fleet, server = Fleet(), Server(name="power", data=disk.mount_point / "data")
    try:
        for cut in range(cuts):
            disk.mount()
            server.start()
            if cut % 5 == 4:
                fleet.check_survivors(server)

            def strike(flag=(NO_LOG_FLUSH, LOG_FLUSH)[cut % 2]):
                disk.cut(flag)
                server.kill()

            fleet.run_until_dead(server, enough=300 + 53 * cut, strike=strike)
            disk.unmount()
            disk.mount()
            verify(server.data)
            disk.unmount()
        disk.mount()
        server.start()
        survivors = fleet.check_survivors(server)
        acknowledged = sum(map(len, fleet.acknowledged))
        print(f"{cuts} power cuts: {acknowledged} acknowledged, {sum(fleet.sent)} sent, {survivors} in the log")
        check(server.stop() == 0, "clean stop at the end")
    finally:
        server.abandon()
        disk.unmount()


main()
