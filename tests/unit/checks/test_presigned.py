"""A presigned URL that is signed again for a moment has the signature that AWS documents for it."""

from __future__ import annotations

from checks.exposed.presigned import account_of, signed_again

URL = (
    "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
    "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20991231%2Fus-east-1%2Fs3%2Faws4_request"
    "&X-Amz-Date=20991231T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=00"
)
"""The example of AWS' manual, "Authenticating requests: using query parameters", with another date."""
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
MAY_24_2013 = 1369353600


def test_it_is_the_signature_of_awss_example() -> None:
    signed = signed_again("GET", URL, {}, SECRET, MAY_24_2013)
    assert "X-Amz-Date=20130524T000000Z" in signed
    assert signed.endswith("=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404")


def test_the_account_is_the_credentials_first_part() -> None:
    assert account_of(URL) == "AKIAIOSFODNN7EXAMPLE"
    assert account_of("https://example.com/x") == ""
