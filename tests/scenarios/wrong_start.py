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


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def copy_with_format(data, name, change, mend):
    """A copy of a data directory with another format file; `mend`: with its checksum right."""
    copy = scratch() / name
    shutil.copytree(data, copy)
    text = (copy / "format").read_text(encoding="ascii")
    head = change(text[:text.rindex("crc32c ")])
    check(head != text[:len(head)], "the format file was changed")
    (copy / "format").write_text(head + (f"crc32c {crc32c(head.encode()):08x}\n" if mend else text[text.rindex("crc32c "):]),
                                 encoding="ascii")
    return copy


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

    newer = copy_with_format(data, "newer", lambda text: text.replace("version 1\n", "version 99\n"), mend=True)
    before = snapshot(newer)
    refused("newer format", "newer", "99", data=newer)
    check(snapshot(newer) == before, "a data directory of a newer version is left as it was")

    damaged = copy_with_format(data, "damaged", lambda text: text.replace("salt ", "sa1t "), mend=False)
    before = snapshot(damaged)
    refused("damaged format file", "format", data=damaged)
    check(snapshot(damaged) == before, "a damaged data directory is left as it was")


main()
