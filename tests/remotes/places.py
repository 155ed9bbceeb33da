"""Storage servers on this machine for DVC, with the settings to reach each; none needs a network."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

SECRET = "correct-horse-battery-staple"
"""Part of every credential, so that tests can check that no output contains it."""
HERE = "127.0.0.1"


class Objects(msgspec.Struct, frozen=True):
    """Direct access to the stored files, without the server: content by path below the base folder; None deletes."""

    read: Callable[[str], bytes | None]
    write: Callable[[str, bytes | None], None]
    names: Callable[[], list[str]]


class Place(msgspec.Struct, frozen=True):
    """A storage: its URL, the settings that are committed, and those of one person."""

    url: str
    objects: Objects
    shared: Mapping[str, str] = {}
    own: Mapping[str, str] = {}
    environment: Mapping[str, str] = {}


def object_path(md5: str) -> str:
    """The path of content below the base folder."""
    return f"files/md5/{md5[:2]}/{md5[2:]}"


def in_folder(folder: Path) -> Objects:
    def read(path: str) -> bytes | None:
        return (folder / path).read_bytes() if (folder / path).is_file() else None

    def write(path: str, content: bytes | None) -> None:
        (folder / path).unlink(missing_ok=True)
        if content is not None:
            (folder / path).write_bytes(content)

    def names() -> list[str]:
        return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())

    return Objects(read, write, names)


@contextlib.contextmanager
def folder(base: Path) -> Iterator[Place]:
    (base / "kept").mkdir()
    yield Place(url=str(base / "kept"), objects=in_folder(base / "kept"))


@contextlib.contextmanager
def s3(base: Path) -> Iterator[Place]:
    """Moto's S3, which accepts any credentials; they are in the environment as in CI."""
    pytest.importorskip("dvc_s3", reason="`make remotes` installs dvc[s3]")
    pytest.importorskip("moto", reason="`make remotes` installs moto")
    port = _free_port()
    (base / "config").touch()
    environment = {
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_CONFIG_FILE": str(base / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(base / "config"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
    }
    command = [sys.executable, "-m", "moto.server", "-H", HERE, "-p", str(port)]
    with _running(command, "Running on", os.environ | environment):
        import boto3

        endpoint = f"http://{HERE}:{port}"
        client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name="eu-central-1",
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=SECRET,
        )
        client.create_bucket(Bucket="models", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        with contextlib.closing(client):
            yield Place(
                url="s3://models/kept",
                objects=_in_bucket(client),
                shared={"endpointurl": endpoint, "region": "eu-central-1"},
                environment=environment,
            )


@contextlib.contextmanager
def ssh(base: Path) -> Iterator[Place]:
    """OpenSSH's server with a configuration of its own, on a port of this machine; only a key gives access."""
    pytest.importorskip("dvc_ssh", reason="`make remotes` installs dvc[ssh]")
    server = shutil.which("sshd") or "/usr/sbin/sshd"
    if not Path(server).is_file():
        pytest.skip("sshd is not installed (`apt-get install openssh-server`)")
    for name in ("host", "person", "stranger"):
        _keygen(base / name)
    port = _free_port()
    configuration = base / "sshd_config"
    configuration.write_text(
        f"Port {port}\nListenAddress {HERE}\nHostKey {base}/host\nPidFile none\nStrictModes no\nUsePAM no\n"
        f"PasswordAuthentication no\nPermitRootLogin yes\nAuthorizedKeysFile {base}/person.pub\n"
        "Subsystem sftp internal-sftp\n"
    )
    _make_privilege_folder()
    with _running([server, "-D", "-e", "-f", str(configuration)], "Server listening", os.environ):
        import getpass

        yield Place(
            url=f"ssh://{getpass.getuser()}@{HERE}:{port}{base}/kept",
            objects=in_folder(base / "kept"),
            own={"keyfile": str(base / "person")},
        )


@contextlib.contextmanager
def webdav(base: Path) -> Iterator[Place]:
    """WsgiDAV behind Cheroot, with a name and a password."""
    pytest.importorskip("dvc_webdav", reason="`make remotes` installs dvc[webdav]")
    pytest.importorskip("wsgidav", reason="`make remotes` installs wsgidav")
    pytest.importorskip("cheroot", reason="`make remotes` installs cheroot")
    from cheroot import wsgi
    from wsgidav.wsgidav_app import WsgiDAVApp

    (base / "served/kept").mkdir(parents=True)
    application = WsgiDAVApp(
        {
            "provider_mapping": {"/": str(base / "served")},
            "simple_dc": {"user_mapping": {"*": {"ana": {"password": SECRET}}}},
            "http_authenticator": {"domain_controller": None, "accept_basic": True, "accept_digest": False},
            "verbose": 0,
            "logging": {"enable": False},
        }
    )
    server = wsgi.Server((HERE, 0), application)
    server.prepare()
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield Place(
            url=f"webdav://{HERE}:{server.bind_addr[1]}/kept",
            objects=in_folder(base / "served/kept"),
            own={"user": "ana", "password": SECRET},
        )
    finally:
        server.stop()
        thread.join()


PLACES = {"folder": folder, "s3": s3, "ssh": ssh, "webdav": webdav}


def _in_bucket(client: Any) -> Objects:
    def read(path: str) -> bytes | None:
        try:
            return bytes(client.get_object(Bucket="models", Key=f"kept/{path}")["Body"].read())
        except client.exceptions.NoSuchKey:
            return None

    def write(path: str, content: bytes | None) -> None:
        if content is None:
            client.delete_object(Bucket="models", Key=f"kept/{path}")
        else:
            client.put_object(Bucket="models", Key=f"kept/{path}", Body=content)

    def names() -> list[str]:
        entries = client.list_objects_v2(Bucket="models").get("Contents", [])
        return sorted(entry["Key"].removeprefix("kept/") for entry in entries)

    return Objects(read, write, names)


def _keygen(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)


def _make_privilege_folder() -> None:
    """Make the folder that sshd on Debian needs, and that its service would make."""
    with contextlib.suppress(OSError):
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind((HERE, 0))
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def _running(command: list[str], ready: str, environment: Mapping[str, str]) -> Iterator[None]:
    """Run a server until the end of the block, once it has printed that it is ready."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=dict(environment), text=True
    )
    assert process.stdout is not None
    output = []
    for line in process.stdout:
        output.append(line)
        if re.search(ready, line):
            break
    else:
        pytest.fail(f"{command[0]} did not start: {''.join(output)}")
    listener = threading.Thread(target=process.stdout.read)  # otherwise a full pipe would block it
    listener.start()
    try:
        yield
    finally:
        # sshd has a child for each connection.
        for child in (*psutil.Process(process.pid).children(recursive=True), process):
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        listener.join()
        process.stdout.close()
        process.wait()
