"""TLS, log-in and permissions as an operator sets them up, with kcat, mosquitto, curl and openssl: who gets in, who does
not, users that survive kill -9, and what SIGHUP reads again."""
import subprocess
import time

from _certificates import Authority
from _server import MILLRACE, Server, check, need, scratch

PASSWORDS = {"admin": "correct horse", "kafka": "battery staple", "dispatch": "secret"}
RULES = """
allow user:dispatch all       #
allow *             publish   trucks/${clientid}/#
allow *             subscribe commands/${clientid}/#
"""


def run(*command, data=None, timeout=20):
    return subprocess.run([str(word) for word in command], input=data, capture_output=True, text=True, timeout=timeout)


def eventually(what, condition):
    deadline = time.monotonic() + 15
    while not condition():
        check(time.monotonic() < deadline, what)
        time.sleep(0.05)


def write_users(path):
    lines = []
    for name, password in PASSWORDS.items():
        done = run(MILLRACE, "users", "hash", name, data=password)
        check(done.returncode == 0 and password not in done.stdout, f"users hash: {done.stderr}")
        lines.append(done.stdout)
    path.write_text("".join(lines))


class Site:
    def __init__(self):
        self.folder = scratch()
        self.ca = Authority(self.folder / "certificates")
        self.certificate, self.key = self.ca.server()
        self.users, self.rules = self.folder / "users", self.folder / "permissions"
        write_users(self.users)
        self.rules.write_text(RULES)

    def config(self, **changes):
        values = {
            "tls.certificate.file": self.certificate, "tls.key.file": self.key, "tls.client.ca.file": self.ca.certificate,
            "mqtt.tls.port": 0, "mqtt.tls.client.certificates": "requested", "mqtt.authentication": "required",
            "kafka.tls.port": 0, "kafka.sasl.mechanisms": "[SCRAM-SHA-256]",
            "kafka.tls.sasl.mechanisms": "[PLAIN, SCRAM-SHA-256, SCRAM-SHA-512]", "super.users": "[admin]",
            "http.tls": "true", "http.authentication": "required",
            "auth.password.file": self.users, "auth.permissions.file": self.rules,
            "topics": "[{name: readings, partitions: 1}]", **changes}
        return "".join(f"{key}: {value}\n" for key, value in values.items())

    def kcat(self, server, user, password, mechanism, listener="kafka_tls"):
        tls = ["-X", "security.protocol=SASL_SSL", "-X", f"ssl.ca.location={self.ca.certificate}"]
        plain = ["-X", "security.protocol=SASL_PLAINTEXT"]
        return run("kcat", "-b", server.ports[listener], *(tls if listener == "kafka_tls" else plain),
                   "-X", f"sasl.mechanisms={mechanism}", "-X", f"sasl.username={user}", "-X", f"sasl.password={password}",
                   "-m", 5, "-L", "-t", "readings")

    def curl(self, server, path, *options, user="admin:" + PASSWORDS["admin"]):
        login = ["-u", user] if user else []
        return run("curl", "-sS", "--cacert", self.ca.certificate, *login, "-w", "\n%{http_code}", *options,
                   f"https://{server.ports['https']}{path}")

    def mosquitto(self, program, server, *options, certificate=None, user=None, client="truck-1"):
        command = [program, "-h", "127.0.0.1", "-p", server.port("mqtts"), "--cafile", self.ca.certificate, "-i", client]
        if certificate:
            command += ["--cert", certificate[0], "--key", certificate[1]]
        if user:
            command += ["-u", user, "-P", PASSWORDS.get(user, "wrong")]
        return [str(word) for word in (*command, *options)]


def kafka_clients(site, server):
    for mechanism in ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"):
        done = site.kcat(server, "kafka", PASSWORDS["kafka"], mechanism)
        check('topic "readings"' in done.stdout, f"{mechanism} over TLS: {done.stderr}")
        check(server.port("kafka_tls") in done.stdout, "clients of the TLS listener are told its port")
        done = site.kcat(server, "kafka", "wrong", mechanism)
        check(done.returncode != 0 and "uthentication" in done.stderr, f"{mechanism}, wrong password: {done.stdout}")
    check(site.kcat(server, "kafka", PASSWORDS["kafka"], "SCRAM-SHA-256", "kafka").returncode == 0, "SCRAM without TLS")
    done = site.kcat(server, "kafka", PASSWORDS["kafka"], "PLAIN", "kafka")
    check(done.returncode != 0, "PLAIN is not offered without TLS")
    done = run("kcat", "-b", server.ports["kafka"], "-L", "-m", 3)
    check(done.returncode != 0, "nobody is served without a log-in")


def openssl_client(site, server):
    session = site.folder / "session"
    for version in ("-tls1_2", "-tls1_3"):
        connect = ["openssl", "s_client", "-connect", server.ports["mqtts"], "-CAfile", site.ca.certificate, version,
                   "-verify_return_error"]
        # The ticket of TLS 1.3 comes behind the handshake: the server's end of the connection brings it.
        first = run(*connect, "-sess_out", session, "-ign_eof", data="garbage\n")
        check("Verify return code: 0" in first.stdout, f"{version}: {first.stdout[-500:]} {first.stderr}")
        second = run(*connect, "-sess_in", session, "-ign_eof", data="garbage\n")
        check("Reused, TLSv1" in second.stdout, f"{version}: the second handshake resumes: {second.stdout[-800:]}")
    old = run("openssl", "s_client", "-connect", server.ports["mqtts"], "-tls1_1", "-cipher", "ALL:@SECLEVEL=0", data="")
    check("Cipher is (NONE)" in old.stdout, "TLS 1.1 is refused")


def mqtt_clients(site, server):
    truck = site.ca.issue("truck-1")
    stranger = Authority(site.folder / "strangers", "Somebody Else").issue("truck-1")
    subscribe = site.mosquitto("mosquitto_sub", server, "-t", "trucks/#", "-C", "2", "-v", "-d", user="dispatch", client="desk")
    watch = subprocess.Popen(["stdbuf", "-oL", *subscribe], stdout=subprocess.PIPE, text=True)
    line = ""
    while "Subscribed" not in line:
        line = watch.stdout.readline()
        check(line != "", "mosquitto_sub subscribes")
    publish = ["-t", "trucks/truck-1/speed", "-m", "80", "-q", "1"]
    done = run(*site.mosquitto("mosquitto_pub", server, *publish, certificate=truck))
    check(done.returncode == 0, f"a certificate is a log-in: {done.stderr}")
    done = run(*site.mosquitto("mosquitto_pub", server, *publish, user="dispatch"))
    check(done.returncode == 0, f"a password is a log-in: {done.stderr}")
    check("trucks/truck-1/speed 80" in watch.stdout.read(), "what was published arrives")
    watch.wait()
    for why, options in (("a stranger's certificate", {"certificate": stranger}), ("nothing", {}),
                         ("a wrong password", {"user": "nobody"})):
        done = run(*site.mosquitto("mosquitto_pub", server, *publish, **options))
        check(done.returncode != 0, f"{why} is no log-in")
    # Permissions, told to a 5.0 client by reason code 135.
    done = run(*site.mosquitto("mosquitto_pub", server, "-V", "5", "-d", "-t", "trucks/truck-2/speed", "-m", "1", "-q", "1",
                               certificate=truck))
    check("135" in done.stdout + done.stderr or "Not authorized" in done.stdout + done.stderr, f"another truck's topic: {done}")
    done = run(*site.mosquitto("mosquitto_sub", server, "-t", "trucks/#", "-W", "5", certificate=truck))
    check("denied" in (done.stdout + done.stderr).lower(), f"trucks do not watch each other: {done}")


def administration(site, server):
    check(site.curl(server, "/healthz", user=None).stdout.endswith("200"), "probes need no log-in")
    check(site.curl(server, "/api/v1/users", user=None).stdout.endswith("401"), "users are not shown to everybody")
    check(site.curl(server, "/api/v1/users", user="admin:wrong").stdout.endswith("401"), "wrong password")
    check(site.curl(server, "/api/v1/users", user="kafka:" + PASSWORDS["kafka"]).stdout.endswith("401"), "not a super user")
    done = site.curl(server, "/api/v1/users/late?kind=scram", "-X", "PUT", "--data-binary", "newcomer")
    check(done.stdout.endswith("204"), f"a user is added: {done.stdout}")
    listed = site.curl(server, "/api/v1/users").stdout
    check('"late"' in listed and "newcomer" not in listed and "$" not in listed, f"users are listed without secrets: {listed}")
    check(site.kcat(server, "late", "newcomer", "SCRAM-SHA-512").returncode == 0, "the new user logs in")
    server.kill()
    server.start()
    check(site.kcat(server, "late", "newcomer", "SCRAM-SHA-256").returncode == 0, "after kill -9 too")
    check(site.curl(server, "/api/v1/users/late", "-X", "DELETE").stdout.endswith("204"), "the user is removed")
    check(site.kcat(server, "late", "newcomer", "SCRAM-SHA-256").returncode != 0, "and does not log in any more")


def administration_by_command(site, server):
    """The verb of an operator logs in like curl does, by option or by environment."""
    def mqtt(*words, user="admin:" + PASSWORDS["admin"]):
        login = ["--user", user] if user else []
        return run(MILLRACE, "mqtt", *words, "--url", f"https://{server.ports['https']}", "--ca", site.ca.certificate, *login)

    done = mqtt("publish", "trucks/truck-1/hello", "--payload", "x")
    check(done.returncode == 0, f"a message by command: {done}")
    check(mqtt("clients").returncode == 0, "clients are listed")
    for user in (None, "admin:wrong", "kafka:" + PASSWORDS["kafka"]):
        done = mqtt("clients", user=user)
        check(done.returncode == 1 and "--user" in done.stderr, f"{user}: {done}")
    strange = run(MILLRACE, "mqtt", "clients", "--url", f"https://{server.ports['https']}", "--user", "admin:correct horse")
    check(strange.returncode == 1 and "certificate" in strange.stderr.lower(), f"without the authority: {strange}")


def served_name(site, server):
    done = run("openssl", "s_client", "-connect", server.ports["mqtts"], "-CAfile", site.ca.certificate, data="")
    return next((line for line in done.stdout.splitlines() if line.startswith("subject=")), "")


def reloads(site, server):
    site.ca.server("renewed", "renewed")
    good, good_key = site.certificate.read_bytes(), site.key.read_bytes()
    site.certificate.write_bytes(b"")
    site.users.write_text("")
    site.rules.write_text("allow everything\n")
    server.process.send_signal(1)
    eventually("three refusals are in the log", lambda: server.log.read_text().count("reload_refused") == 3)
    check("localhost" in served_name(site, server), "the old certificate is kept")
    check(site.kcat(server, "kafka", PASSWORDS["kafka"], "PLAIN").returncode == 0, "the old users are kept")
    site.certificate.write_bytes((site.ca.folder / "renewed.pem").read_bytes())
    site.key.write_bytes((site.ca.folder / "renewed.key").read_bytes())
    write_users(site.users)
    site.rules.write_text(RULES)
    check(site.curl(server, "/api/v1/security/reload", "-X", "POST").stdout.endswith("204"), "a reload by request")
    check("renewed" in served_name(site, server), "the new certificate is served")
    site.certificate.write_bytes(good)
    site.key.write_bytes(good_key)
    log = server.log.read_text()
    for password in (*PASSWORDS.values(), "newcomer"):
        check(password not in log, "no password is in the log")


def permissions_tried_offline(site):
    def verdict(*words):
        return run(MILLRACE, "acls", "test", site.rules, *words).stdout.strip()

    check(run(MILLRACE, "acls", "check", site.rules).stdout.count("\n") == 3, "three rules")
    check(verdict("publish", "trucks/t1/speed", "--user", "x", "--client", "t1") == "allowed", "its own topic")
    check(verdict("publish", "trucks/t1/speed", "--user", "x", "--client", "+") == "denied", "a wildcard for a name")
    check(verdict("publish", "trucks/t1/speed", "--client", "t1") == "denied", "nobody")


def users_by_command(site):
    """On a server that asks nobody on loopback."""
    server = Server("mqtt.port: off\n", name="plain", data=site.folder / "plain-data").start()
    try:
        def users(*words, data=None):
            return run(MILLRACE, "users", *words, "--kafka", server.ports["kafka"], data=data)

        check(users("add", "ann", data="secret").returncode == 0, "a user is added")
        check(users("add", "ann", data="secret").returncode != 0, "but not twice")
        check(users("list").stdout == "ann SCRAM-SHA-256(i=4096) SCRAM-SHA-512(i=4096)\n", "and listed")
        check(users("passwd", "ann", data="other").returncode == 0, "its password changes")
        check(users("passwd", "bob", data="other").returncode != 0, "but nobody else's")
        check(users("delete", "ann").returncode == 0 and users("list").stdout == "", "and it is removed")
        check(server.stop() == 0, "a clean stop")
    finally:
        server.abandon()


def refusals_to_start(site):
    def refusal(**changes):
        server = Server(site.config(**changes), name="refused", data=site.folder / "refused-data")
        done = run(*server.command())
        check(done.returncode == 78, f"{changes}: ends with 78: {done}")
        return done.stderr

    check("log-in" in refusal(**{"mqtt.host": "0.0.0.0", "mqtt.authentication": "off"}), "anonymous off loopback")
    check("cannot read" in refusal(**{"tls.key.file": site.folder / "missing.key"}), "a key that is not there")
    check("does not belong" in refusal(**{"tls.key.file": site.ca.issue("other")[1]}), "a key of another certificate")
    check("tls.client.ca.file" in refusal(**{"tls.client.ca.file": '""'}), "client certificates without an authority")
    check("super.users" in refusal(**{"super.users": "[]"}), "nobody may use the HTTP interface")


def main():
    need("openssl", "kcat", "mosquitto_pub", "mosquitto_sub", "curl")
    site = Site()
    permissions_tried_offline(site)
    refusals_to_start(site)
    users_by_command(site)
    server = Server(site.config()).start()
    try:
        kafka_clients(site, server)
        openssl_client(site, server)
        mqtt_clients(site, server)
        administration(site, server)
        administration_by_command(site, server)
        reloads(site, server)
        check(server.stop() == 0, "a clean stop")
    finally:
        server.abandon()


main()
