"""A genuine Ceph gateway at both ends: a locked bucket as target, and a writer who may not delete anything there."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.faults.making import Site, client_of, fill, make_site, sha256_of
from tests.migrate.making import noise
from tests.servers import CuttingProxy, Server
from tests.work.making import MIB

pytestmark = pytest.mark.soak

FILES = {**{f"petits/{number:03}": noise(8_192) for number in range(100)}, "grand.sql": noise(9 * MIB + 5)}
VAULT = "coffre-verrouille"
WRITER = ("WRITERTEST", "writer-test-secret")
MAY = ["s3:GetObject", "s3:PutObject", "s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads",
       "s3:ListMultipartUploadParts", "s3:AbortMultipartUpload", "s3:GetObjectRetention"]  # fmt: skip


@pytest.fixture
def vault(ceph_s3: Server, tmp_path: Path) -> Server:
    """Make a bucket that keeps everything for a day, and a user who may write there but not delete."""
    home = Path(ceph_s3.env["AWS_SHARED_CREDENTIALS_FILE"]).parent
    command = ["radosgw-admin", "-c", str(home / "store/ceph.conf"), "-n", "client.rgw", "user", "create"]
    command += ["--uid", "writer", "--display-name", "writer", "--access-key", WRITER[0], "--secret", WRITER[1]]
    subprocess.run(command, check=True, capture_output=True)
    owner = client_of(ceph_s3)
    owner.create_bucket(Bucket=VAULT, ObjectLockEnabledForBucket=True)
    owner.put_object_lock_configuration(
        Bucket=VAULT,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}},
        },
    )
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": ["arn:aws:iam:::user/writer"]},
        "Action": MAY,
        "Resource": [f"arn:aws:s3:::{VAULT}", f"arn:aws:s3:::{VAULT}/*"],
    }
    owner.put_bucket_policy(Bucket=VAULT, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    owner.close()
    for name, text in {
        "credentials": f"[writer]\naws_access_key_id = {WRITER[0]}\naws_secret_access_key = {WRITER[1]}\n",
        "config": "[profile writer]\nregion = us-east-1\n",
    }.items():
        (tmp_path / name).write_text((home / name).read_text() + text)
    env = {
        **ceph_s3.env,
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
    }
    return replace(ceph_s3, root_uri=f"s3://{VAULT}", profile="writer", env=env)


@pytest.fixture
def link(ceph_s3: Server) -> Iterator[CuttingProxy]:
    proxy = CuttingProxy(ceph_s3.port)
    yield proxy
    proxy.close()


def test_from_ceph_to_a_locked_bucket_by_a_writer_who_may_not_delete(
    ceph_s3: Server, vault: Server, link: CuttingProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, home = ceph_s3.new_place(), vault.new_place()
    fill(ceph_s3, place, FILES)
    site: Site = make_site(tmp_path, (ceph_s3.through(link.port), place), (vault, home))
    vault.use(monkeypatch)
    for _each in range(3):
        before = link.carried
        with site.start("copy", "d.toml", "--bandwidth", "40mbit", "-q") as process:
            while link.carried < before + 2 * MIB:
                assert process.poll() is None, process.communicate()
            site.kill(process)
    ended = site.run("copy", "d.toml")
    assert ended.code == 0, ended.said
    assert link.carried <= sum(map(len, FILES.values())) + 3 * 2 * MIB
    assert site.held() == sha256_of(FILES)
    fill(ceph_s3, place, {"petits/001": b"corrected"})
    ended = site.run("copy", "d.toml")
    assert ended.code == 0, ended.said
    assert site.held() == sha256_of({**FILES, "petits/001": b"corrected"})
    assert site.run("verify", "d", "--deep", "-i", "key").code == 0
    client = client_of(vault)
    found = client.list_objects_v2(Bucket=VAULT)["Contents"][0]["Key"]
    with pytest.raises(ClientError, match="AccessDenied"):
        client.delete_object(Bucket=VAULT, Key=found)
    client.close()
