"""What keeps millrace from starting is named, with what to do: a wrong key, a wrong value, a taken port, a locked, newer or
damaged data directory. None of them changes anything on disk."""
import shutil
import socket

from _server import CONFIG, Server, check, need, scratch, serving


def refused(what, *parts, **arguments):
    status, said = Server(name=what.replace(" ", "-"), **arguments).refuse()
    check(status != 0, f"{what}: exit status {status}")
    for part in parts:
        check(part in said, f"{what}: '{part}' in what it said:\n{said}")


def snapshot(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def main():
    need("mosquitto_pub", "kcat")
    wrong_key = CONFIG + "kafka:\n  prot: 9092\n"
    line = str(len(wrong_key.splitlines()))
    refused("wrong key", "prot", "port", line, config=wrong_key)
    refused("wrong value", "mqtt.port", "70000", options=["--set", "mqtt.port=70000"])
    broken = "  broken:\n    sql: SELEC * FROM 'x'\n    actions: [{republish: {topic: y}}]\n"
    refused("wrong rule", "broken", config=CONFIG + broken)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused("taken port", str(port), "mqtt.port", options=["--set", f"mqtt.port={port}"])

    data = scratch() / "data"
    with serving(data=data) as server:
        server.publish(['{"type":"log","device_no":"T-1"}'])
        refused("locked", str(data), data=data)
        check(server.consume("message-log", "%k\n") == ["T-1"], "the first server is not disturbed")
        check(server.stop() == 0, "clean stop")

    newer = scratch() / "newer"
    shutil.copytree(data, newer)
    form = newer / "format"
    check(form.exists(), "a data directory has a format file")
    damaged = bytearray(form.read_bytes())
    damaged[len(damaged) // 2] ^= 0x40
    form.write_bytes(bytes(damaged))
    before = snapshot(newer)
    refused("damaged format file", "format", data=newer)
    check(snapshot(newer) == before, "a refused data directory is left as it was")


main()
