"""Twenty power cuts of a real ext4: a file system in an image is shut down with everything unsynced lost, under load.

In turn without and with a flush of the file system's own journal (_ext4.py). After each cut the offline check must find nothing
damaged.

Needs root and loop mounts; skipped with the reason where they are missing."""
# timeout: 600
import os

from _crash import Fleet, verify
from _ext4 import LOG_FLUSH, NO_LOG_FLUSH, Disk
from _server import Server, check, need, skip


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
