"""Google's own client, beside ours: put, get or list on the server of $STORAGE_EMULATOR_HOST. Runs in the
environment of gs.requirements: gs_client.py put BUCKET NAME [CONTENT_ENCODING] | get BUCKET NAME | list BUCKET."""
import io
import sys

from google.auth.credentials import AnonymousCredentials
from google.cloud import storage


def main():
    operation, bucket, *rest = sys.argv[1:]
    bucket = storage.Client(project="p", credentials=AnonymousCredentials()).bucket(bucket)
    if operation == "put":
        blob = bucket.blob(rest[0], chunk_size=1024 * 1024)
        blob.content_encoding = rest[1] if len(rest) > 1 else None
        blob.upload_from_file(io.BytesIO(sys.stdin.buffer.read()), checksum="crc32c")
    elif operation == "get":
        sys.stdout.buffer.write(bucket.blob(rest[0]).download_as_bytes(checksum="crc32c"))
    elif operation == "list":
        print("\n".join(blob.name for blob in bucket.list_blobs()))


main()
