"""Thirty times kill -9 under load: what was acknowledged is there, once, in order per device. The journal of what was
acknowledged is kept by this process, which survives."""
# timeout: 600
import os

from _crash import Fleet, verify
from _server import Server, check, need


def main():
    need("kcat")
    cycles = int(os.environ.get("MILLRACE_KILL_CYCLES", "30"))
    fleet, server = Fleet(), Server(name="kill")
    try:
        for cycle in range(cycles):
            server.start()
            if cycle % 5 == 4:
                fleet.check_survivors(server)
            fleet.run_until_dead(server, enough=300 + 37 * cycle, strike=server.kill)
            verify(server.data)
        server.start()
        survivors = fleet.check_survivors(server)
        acknowledged = sum(map(len, fleet.acknowledged))
        print(f"{cycles} kills: {acknowledged} acknowledged, {sum(fleet.sent)} sent, {survivors} in the log")
        check(server.stop() == 0, "clean stop at the end")
    finally:
        server.abandon()


main()
