"""A file system in an image, whose power can be cut: ext4's own shutdown ioctl (EXT4_IOC_SHUTDOWN). What was fsynced is there
after the next mount, what was only written is not. With LOG_FLUSH the file system's own journal is written first: it keeps new
sizes and names whose bytes never came, so files end in zeros. Needs root and loop mounts."""
import fcntl
import os
import struct
import subprocess

from _server import scratch, skip

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
