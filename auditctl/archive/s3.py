"""S3, of Amazon and of others who speak its protocol."""

from __future__ import annotations

from typing import Any

from auditctl.archive.object_store import Store
from auditctl.errors import UsageError

_MISSING = "NoSuchBucket"

_CREDENTIALS = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or give this machine a role."
_NETWORK = "Check the network, AWS_ENDPOINT_URL and AWS_REGION, then run it again."
_RIGHTS = (
    "Its credentials need s3:ListBucket, s3:GetObject, and to write s3:PutObject, s3:DeleteObject,"
    " s3:AbortMultipartUpload and s3:ListBucketMultipartUploads."
)

_CODES = {
    _MISSING: ("the bucket does not exist", "Create the bucket, or correct the path."),
    "InvalidBucketName": ("the name of the bucket is not valid", "Correct the path."),
    "AccessDenied": ("access is denied", _RIGHTS),
    "403": ("access is denied", _RIGHTS),
    "InvalidAccessKeyId": ("the access key is not known there", _CREDENTIALS),
    "SignatureDoesNotMatch": ("the secret access key is not that of the access key", _CREDENTIALS),
    "ExpiredToken": ("the session token has expired", _CREDENTIALS),
    "InvalidToken": ("the session token is not valid", _CREDENTIALS),
    "PermanentRedirect": ("the bucket is in another region", "Set AWS_REGION."),
    "301": ("the bucket is in another region", "Set AWS_REGION."),
    "NoSuchUpload": ("somebody else ended the upload", "Run it again, once at a time."),
}
"""What an error code of S3 means, and what to do about it."""

_KINDS = {
    "NoCredentialsError": ("credentials are missing", _CREDENTIALS),
    "PartialCredentialsError": ("credentials are incomplete", _CREDENTIALS),
    "ProfileNotFound": ("the profile that AWS_PROFILE names does not exist", "Correct it, or unset it."),
    "ConfigParseError": ("the configuration of AWS cannot be read", "Correct ~/.aws/config."),
    "NoRegionError": ("the region is missing", "Set AWS_REGION."),
    "InvalidRegionError": ("the region is not valid", "Correct AWS_REGION."),
    "UnauthorizedSSOTokenError": ("the single sign-on has expired", "Run: aws sso login"),
    "SSOTokenLoadError": ("the single sign-on is missing", "Run: aws sso login"),
}
"""The same by the name of an exception, which has no code; its text would show addresses and profiles."""


class S3(Store):
    """S3, by s3fs; credentials, region and endpoint come from the environment as botocore reads it."""

    scheme = "s3"

    def __init__(self) -> None:
        try:
            from botocore.exceptions import BotoCoreError, ClientError
        except ModuleNotFoundError as error:
            raise _missing(error) from error
        self.errors = (BotoCoreError, ClientError)

    def filesystem(self) -> Any:
        """Return its filesystem."""
        try:
            from s3fs import S3FileSystem
        except ModuleNotFoundError as error:
            raise _missing(error) from error
        return S3FileSystem(use_listings_cache=False)

    def reason(self, error: Exception) -> tuple[str, str]:
        """Return what an error says, and what to do."""
        if (code := _code(error)) in _CODES:
            return _CODES[code]
        if isinstance(error, self.errors) and not code:
            return _KINDS.get(type(error).__name__, ("the server cannot be reached", _NETWORK))
        if isinstance(error, PermissionError):
            return "access is denied", _RIGHTS
        if isinstance(error, FileNotFoundError):
            return "no such object", ""
        text = getattr(error, "strerror", None) or str(error)
        return (text, _NETWORK) if isinstance(error, (ConnectionError, TimeoutError)) else (text, "")

    def has_container(self, error: FileNotFoundError) -> bool:
        """Return whether the bucket is there."""
        return _code(error) != _MISSING

    def abort(self, filesystem: Any, folder: str) -> None:
        """Abort the multipart uploads into a folder."""
        bucket, key, _ = filesystem.split_path(folder)
        marker: dict[str, str] = {}
        while True:
            page = filesystem.call_s3("list_multipart_uploads", Bucket=bucket, Prefix=f"{key}/", **marker)
            for upload in page.get("Uploads", []):
                filesystem.abort_mpu(bucket, upload["Key"], upload["UploadId"])
            if not page.get("IsTruncated"):
                return
            marker = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}


def _code(error: Exception) -> str:
    """Return the error code of S3; empty for an error that no answer of a server made."""
    for one in (error, error.__cause__):
        response = getattr(one, "response", None)
        if isinstance(response, dict):
            return str(response.get("Error", {}).get("Code", ""))
    return ""


def _missing(error: ModuleNotFoundError) -> UsageError:
    return UsageError(
        f"an archive at s3:// needs {error.name}, which is not installed", hint="Run: pip install 'auditctl[s3]'"
    )
