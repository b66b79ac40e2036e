"""Certificates made on the spot with the openssl command, for scenarios and clients' tests of TLS."""
import subprocess


def _openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Authority:
    """Signs certificates in `folder`: ca.pem, and <name>.pem with <name>.key for each one issued."""

    def __init__(self, folder, name="Test Authority"):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.certificate, self.key = folder / "ca.pem", folder / "ca.key"
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 2,
                 "-subj", f"/O=Fleet/CN={name}", "-keyout", self.key, "-out", self.certificate)

    def issue(self, name, alternatives=None, file=None):
        """(certificate file, key file) of common name `name`."""
        file = file or name
        key, request, certificate = (self.folder / f"{file}.{end}" for end in ("key", "csr", "pem"))
        _openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/O=Fleet/CN={name}",
                 "-keyout", key, "-out", request)
        extensions = self.folder / f"{file}.ext"
        extensions.write_text(f"subjectAltName={alternatives}\n" if alternatives else "basicConstraints=CA:FALSE\n")
        _openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial", "-days", 1,
                 "-extfile", extensions, "-out", certificate)
        return certificate, key

    def server(self, name="localhost", file="server"):
        return self.issue(name, "DNS:localhost,IP:127.0.0.1", file)
