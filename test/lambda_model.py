#!/usr/bin/python3
"""lambda_model.py DIR - holds requests to AWS Lambda to its published API model

The model is service-2.json of Debian's python3-botocore, and so is the signer
that each signature is compared with.  AWS itself cannot be had here: what this
answers is only as much as a client needs to go on, and is held to the model too.
DIR/log gets a line for each request: "OPERATION name", or "WRONG why".  DIR/state
is what functions there are, as JSON; DIR/fail, if there, is how the next requests
are answered instead: lines "OPERATION STATUS TYPE MESSAGE".  Prints its port.
"""
import base64
import hashlib
import http.server
import io
import json
import os
import re
import sys
import urllib.parse
import zipfile

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

where = sys.argv[1]
with open("/usr/lib/python3/dist-packages/botocore/data/lambda/2015-03-31/service-2.json") as f:
    model = json.load(f)
shapes = model["shapes"]
# Younger than Debian's copy of the model (November 2023).
younger = {"Runtime": ["provided.al2023"]}


class Wrong(Exception):
    pass


def expect(is_so, why):
    if not is_so:
        raise Wrong(why)


def check(name, value, at):
    """Is value of the shape called name?"""
    shape = shapes[name]
    kind = shape["type"]
    if kind == "structure":
        expect(isinstance(value, dict), at + " is no object")
        members = {m.get("locationName", k): m["shape"] for k, m in shape["members"].items()}
        for key, inner in value.items():
            expect(key in members, "%s has no member %s" % (at, key))
            check(members[key], inner, at + "." + key)
        for key in shape.get("required", []):
            if "location" not in shape["members"][key]:
                expect(key in value, "%s lacks %s" % (at, key))
    elif kind == "list":
        expect(isinstance(value, list), at + " is no list")
        for i, inner in enumerate(value):
            check(shape["member"]["shape"], inner, "%s[%d]" % (at, i))
    elif kind in ("integer", "long"):
        expect(isinstance(value, int) and not isinstance(value, bool), at + " is no integer")
        expect(shape.get("min", value) <= value <= shape.get("max", value), at + " is out of range")
    elif kind == "boolean":
        expect(isinstance(value, bool), at + " is no boolean")
    elif kind == "blob":
        base64.b64decode(value, validate=True)
    elif kind == "string":
        expect(isinstance(value, str), at + " is no string")
        if "enum" in shape:
            expect(value in shape["enum"] + younger.get(name, []), "%s: %s is not known" % (at, value))
        if "pattern" in shape:
            expect(re.fullmatch(shape["pattern"], value), "%s: %s is not of its pattern" % (at, value))
        expect(shape.get("min", 0) <= len(value) <= shape.get("max", 1 << 30), at + " is of a wrong length")
    else:
        expect(False, "%s is of a type that is not checked: %s" % (at, kind))


def find_operation(method, path):
    for name, op in model["operations"].items():
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(op["http"]["requestUri"]))
        match = re.fullmatch(pattern, path)
        if match and op["http"]["method"] == method:
            return name, op, {k: urllib.parse.unquote(v) for k, v in match.groupdict().items()}
    raise Wrong("no operation is %s %s" % (method, path))


def check_request(h, path, query, body):
    name, op, found = find_operation(h.command, path)
    members = shapes[op["input"]["shape"]]["members"]
    places = {"uri": found, "querystring": dict(urllib.parse.parse_qsl(query))}
    for place, values in places.items():
        for key, value in values.items():
            shape = [m["shape"] for m in members.values()
                     if m.get("location") == place and m["locationName"] == key]
            expect(shape, "%s has no %s in its %s" % (name, key, place))
            check(shape[0], int(value) if shapes[shape[0]]["type"] == "integer" else value, key)
    for member in members.values():
        value = h.headers.get(member.get("locationName", "-"))
        if member.get("location") == "header" and value is not None:
            check(member["shape"], value, member["locationName"])
    payload = shapes[op["input"]["shape"]].get("payload")
    in_body = [k for k, m in members.items() if "location" not in m]
    if payload or not in_body:
        expect(payload or not body, name + " has no body")
    else:
        shape = dict(shapes[op["input"]["shape"]])
        shape["members"] = {k: members[k] for k in in_body}
        shape["required"] = [k for k in shape.get("required", []) if k in in_body]
        shapes["__body"] = shape
        check("__body", json.loads(body), name)
    return name, found, places["querystring"]


def check_signature(h, path, query, body):
    said = h.headers["Authorization"]
    names = re.search("SignedHeaders=([^,]+)", said).group(1).split(";")
    scope = re.search("Credential=([^,]+)", said).group(1).split("/")
    expect(scope[2:] == ["eu-west-1", "lambda", "aws4_request"], "the scope is %s" % scope)
    for must in ("host", "x-amz-date", "x-amz-security-token"):
        expect(must in names, must + " is not signed")
    url = "http://" + h.headers["Host"] + path + ("?" + query if query else "")
    request = AWSRequest(h.command, url, {n: h.headers[n] for n in names if n != "host"}, body)
    request.context["timestamp"] = h.headers["x-amz-date"]
    auth = SigV4Auth(Credentials("AKIDEXAMPLE", "a secret/key", "a token"), "lambda", "eu-west-1")
    canonical = auth.canonical_request(request)
    signature = auth.signature(auth.string_to_sign(request, canonical), request)
    expect("Signature=" + signature in said, "the signature is another than botocore's")


def configuration(name, wish, old=None):
    c = dict(old or {"FunctionName": name, "LastModified": "2026-11-21T09:00:00.000+0000",
                     "polls": 0})
    for key in ("Role", "MemorySize", "Timeout", "PackageType", "Architectures",
                "EphemeralStorage", "Description", "Runtime", "Handler"):
        if key in wish:
            c[key] = wish[key]
    code = wish.get("Code", wish)
    if "ZipFile" in code:
        zipped = base64.b64decode(code["ZipFile"])
        c["CodeSize"] = len(zipped)
        c["CodeSha256"] = base64.b64encode(hashlib.sha256(zipped).digest()).decode()
        with zipfile.ZipFile(io.BytesIO(zipped)) as z:
            expect(z.namelist() == ["bootstrap"], "the zip holds %s" % z.namelist())
            expect(z.testzip() is None, "the zip is damaged")
            expect(z.infolist()[0].external_attr >> 16 == 0o100755, "bootstrap cannot be run")
            with open(where + "/bootstrap", "wb") as f:
                f.write(z.read("bootstrap"))
    c["polls"] = 2
    return c


def public(c):
    """As it is told: being made until it was asked for twice."""
    out = {k: v for k, v in c.items() if k != "polls"}
    out["State"] = "Pending" if c["polls"] and "was" not in c else "Active"
    out["LastUpdateStatus"] = "InProgress" if c["polls"] else "Successful"
    out.pop("was", None)
    if c.get("Description") == "gg worker" and c.get("Role", "").endswith("bad"):
        out["State"], out["StateReason"] = "Failed", "the role is of no use"
    c["polls"] = max(0, c["polls"] - 1)
    check("FunctionConfiguration", out, "answer")
    return out


def act(name, found, query, body, state):
    """Status and JSON of an answer."""
    function = found.get("FunctionName")
    if name == "CreateFunction":
        wish = json.loads(body)
        state[wish["FunctionName"]] = configuration(wish["FunctionName"], wish)
        return 201, public(state[wish["FunctionName"]])
    if name == "ListFunctions":
        names = sorted(state)
        at = names.index(query["Marker"]) if "Marker" in query else 0
        out = {"Functions": [public(state[n]) for n in names[at:at + 2]]}
        if at + 2 < len(names):
            out["NextMarker"] = names[at + 2]
        return 200, out
    if function not in state:
        return 404, {"Type": "User", "Message": "Function not found: " + function}
    if name == "GetFunction":
        return 200, {"Configuration": public(state[function]), "Code": {"RepositoryType": "S3"}}
    if name == "GetFunctionConfiguration":
        return 200, public(state[function])
    if name in ("UpdateFunctionCode", "UpdateFunctionConfiguration"):
        if state[function]["polls"]:
            return 409, {"Type": "User", "Message": "The operation cannot be performed at this "
                         "time. An update is in progress"}
        state[function] = configuration(function, json.loads(body), state[function])
        state[function]["was"] = True
        return 200, public(state[function])
    if name == "DeleteFunction":
        del state[function]
        return 204, None
    raise Wrong("no answer is known to " + name)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def note(self, text):
        with open(where + "/log", "a") as f:
            f.write(text + "\n")

    def say(self, status, body, kind=None):
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        if kind:
            self.send_header("x-amzn-ErrorType", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def failure(self, name):
        """The first line that was left for this operation."""
        try:
            with open(where + "/fail") as f:
                lines = f.read().split("\n")
        except FileNotFoundError:
            return None
        for i, line in enumerate(lines):
            if line.startswith(name + " "):
                with open(where + "/fail", "w") as f:
                    f.write("\n".join(lines[:i] + lines[i + 1:]))
                return line.split(None, 3)[1:]
        return None

    def serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path, _, query = self.path.partition("?")
        try:
            name, found, asked = check_request(self, path, query, body)
            check_signature(self, path, query, body)
            self.note(name + " " + found.get("FunctionName", "-"))
            with open(where + "/state") as f:
                state = json.load(f)
            failure = self.failure(name)
            if failure:
                self.say(int(failure[0]), {"Message": failure[2]}, failure[1])
                return
            status, answer = act(name, found, asked, body, state)
        except Exception as e:
            self.note("WRONG " + repr(e))
            self.say(400, {"Message": str(e)}, "ValidationException")
            return
        with open(where + "/state", "w") as f:
            json.dump(state, f)
        self.say(status, answer, "ResourceNotFoundException" if status == 404 else None)

    do_GET = do_PUT = do_POST = do_DELETE = serve


server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
