"""`millrace verify` finds nothing in a sound data directory, names file and position of one flipped byte, and changes nothing.
A damaged batch is reported to its reader, never served; the batches before it still are."""
import json
import subprocess

from _server import MILLRACE, check, need, scratch, serving


def verify(folder, *options):
    done = subprocess.run([MILLRACE, "verify", str(folder), *options], capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


def largest_segment(data):
    return max((data / "topics").rglob("*.log"), key=lambda path: path.stat().st_size)


def main():
    need("mosquitto_pub", "kcat")
    data = scratch() / "data"
    with serving(data=data) as server:
        for part in range(20):
            server.publish([json.dumps({"type": "log", "device_no": "T-1", "part": part, "n": n}) for n in range(50)])
        whole = server.consume("message-log", "%o\n")
        check(len(whole) == 1000, f"{len(whole)} records")
        check(server.stop() == 0, "clean stop")
    for options in ((), ("--deep",)):
        status, said = verify(data, *options)
        check(status == 0, f"verify {' '.join(options)} of a sound directory: {status}\n{said}")

    segment = largest_segment(data)
    content = bytearray(segment.read_bytes())
    at = len(content) * 3 // 4
    content[at] ^= 0x10
    segment.write_bytes(bytes(content))
    status, said = verify(data, "--deep")
    check(status != 0, "verify --deep fails on one flipped byte")
    check(segment.parent.name in said and segment.name in said, f"it names the file {segment}:\n{said}")
    check(segment.read_bytes() == bytes(content), "verify changes nothing")

    with serving(data=data, name="damaged") as server:
        command = ["kcat", "-u", "-b", server.ports["kafka"], "-C", "-e", "-q", "-o", "beginning"]
        try:
            done = subprocess.run([*command, "-t", "message-log", "-f", "%o\\n"], capture_output=True, timeout=15, check=False)
            said = done.stdout
        except subprocess.TimeoutExpired as waiting:  # kcat asks again and again
            said = waiting.stdout or b""
        offsets = said.decode().split()
        check(0 < len(offsets) < len(whole), f"{len(offsets)} of {len(whole)} records are served, those before the damage")
        check(offsets == whole[:len(offsets)], "and they are the right ones")


main()
