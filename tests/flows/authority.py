"""A timestamp authority on this machine: `openssl ts -reply` behind a small HTTP server on loopback."""

import contextlib
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

_CONFIGURATION = """\
[tsa]
default_tsa = own
[own]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
certs = {folder}/root.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
accuracy = secs:1
ordering = yes
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""
_EXTENSIONS = "basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=critical,timeStamping\n"


class Authority:
    """A root certificate, a certificate for timestamps, and the address at which it answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self._openssl(
            *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "36500", "-subj", "/CN=Test root"),
            *("-keyout", f"{folder}/root.key", "-out", f"{folder}/root.pem"),
        )
        self._openssl(
            *("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=Test authority"),
            *("-keyout", f"{folder}/tsa.key", "-out", f"{folder}/tsa.csr"),
        )
        (folder / "extensions").write_text(_EXTENSIONS)
        self._openssl(
            *("x509", "-req", "-in", f"{folder}/tsa.csr", "-CA", f"{folder}/root.pem", "-CAkey", f"{folder}/root.key"),
            *("-CAcreateserial", "-days", "36500", "-extfile", f"{folder}/extensions", "-out", f"{folder}/tsa.pem"),
        )
        (folder / "serial").write_text("01\n")
        (folder / "tsa.cnf").write_text(_CONFIGURATION.format(folder=folder))
        self.url = ""

    @property
    def certificates(self) -> str:
        """The root certificate, in PEM."""
        return (self.folder / "root.pem").read_text()

    def reply(self, query: bytes) -> bytes:
        """Answer a timestamp request."""
        request, answer = self.folder / "request.tsq", self.folder / "answer.tsr"
        request.write_bytes(query)
        self._openssl(
            "ts", "-reply", "-config", f"{self.folder}/tsa.cnf", "-queryfile", str(request), "-out", str(answer)
        )
        return answer.read_bytes()

    def verifies(self, content: bytes, token: bytes) -> bool:
        """Tell whether openssl itself accepts a token over some bytes."""
        data, answer = self.folder / "data", self.folder / "token.tsr"
        data.write_bytes(content)
        answer.write_bytes(token)
        command = ["openssl", "ts", "-verify", "-data", str(data), "-in", str(answer)]
        done = subprocess.run([*command, "-CAfile", f"{self.folder}/root.pem"], capture_output=True, check=False)
        return done.returncode == 0

    @contextlib.contextmanager
    def serve(self) -> Iterator[None]:
        """Answer requests over HTTP."""
        authority = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                answer = authority.reply(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        server = HTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_port}/"
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    @staticmethod
    def _openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], check=True, capture_output=True)
