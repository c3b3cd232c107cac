#!/usr/bin/python3
"""s3_request.py METHOD URL [BODY] - one signed request, by another hand than gg's

Keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, the service from
SERVICE (s3), the region from AWS_REGION (us-east-1).  The answer's body is
printed; the exit status is 0 for 2xx.
"""
import hashlib
import hmac
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

method, url = sys.argv[1:3]
body = (sys.argv[3] if len(sys.argv) > 3 else "").encode()
service = os.environ.get("SERVICE", "s3")
region = os.environ.get("AWS_REGION", "us-east-1")
at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
parts = urllib.parse.urlsplit(url)
query = urllib.parse.urlencode(sorted(urllib.parse.parse_qsl(parts.query, True)),
                               quote_via=urllib.parse.quote)
headers = {"host": parts.netloc, "x-amz-content-sha256": hashlib.sha256(body).hexdigest(),
           "x-amz-date": at}
names = ";".join(sorted(headers))
text = "\n".join([method, parts.path or "/", query]
                 + [f"{n}:{headers[n]}" for n in sorted(headers)]
                 + ["", names, headers["x-amz-content-sha256"]])
scope = f"{at[:8]}/{region}/{service}/aws4_request"
to_sign = "\n".join(["AWS4-HMAC-SHA256", at, scope, hashlib.sha256(text.encode()).hexdigest()])
key = b"AWS4" + os.environ["AWS_SECRET_ACCESS_KEY"].encode()
for word in scope.split("/") + [to_sign]:
    key = hmac.new(key, word.encode(), hashlib.sha256).digest()
headers["authorization"] = (
    f"AWS4-HMAC-SHA256 Credential={os.environ['AWS_ACCESS_KEY_ID']}/{scope}, "
    f"SignedHeaders={names}, Signature={key.hex()}")
request = urllib.request.Request(
    f"{parts.scheme}://{parts.netloc}{parts.path or '/'}" + (f"?{query}" if query else ""),
    data=body or None, method=method, headers=headers)
if body:
    request.add_header("content-type", "application/x-www-form-urlencoded")
try:
    with urllib.request.urlopen(request, timeout=30) as answer:
        sys.stdout.write(answer.read().decode(errors="replace"))
except urllib.error.HTTPError as e:
    sys.stdout.write(e.read().decode(errors="replace"))
    sys.exit(f"{e.code}")
