"""What Google has in front of its storage: a token endpoint, a metadata server, and a door that lets nobody
in without a token. Runs in the environment of gs.requirements:
google_front.py PORT UPSTREAM_PORT CERTIFICATE TOKEN_USES REFUSALS

Assertions are checked by google-auth, as Google documents them. A token opens the door TOKEN_USES times. The
metadata server answers 404 REFUSALS times first. GET /issued tells how many tokens were given out."""
import http.client
import http.server
import json
import secrets
import sys
import urllib.parse

from google.auth import jwt

PORT, UPSTREAM, CERTIFICATE, USES, REFUSALS = (int(sys.argv[1]), int(sys.argv[2]), sys.argv[3],
                                               int(sys.argv[4]), int(sys.argv[5]))
SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
tokens, refused = {}, [0]


class Front(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status, body=b"", headers=()):
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def reply_json(self, status, value, headers=()):
        self.reply(status, json.dumps(value).encode(), [("Content-Type", "application/json"), *headers])

    def issue(self, headers=()):
        token = secrets.token_hex(16)
        tokens[token] = USES
        self.reply_json(200, {"access_token": token, "expires_in": 3599, "token_type": "Bearer"}, headers)

    def serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/token":
            self.exchange(body)
        elif self.path == "/issued":
            self.reply_json(200, len(tokens))
        elif self.path.startswith("/computeMetadata/"):
            self.serve_metadata()
        else:
            self.forward(body)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = serve

    def exchange(self, body):
        form = dict(urllib.parse.parse_qsl(body.decode()))
        try:
            claims = jwt.decode(form["assertion"], certs=open(CERTIFICATE).read(),
                                audience=f"http://127.0.0.1:{PORT}/token")
            assert form["grant_type"] == GRANT and claims["scope"] == SCOPE, "wrong grant or scope"
            assert claims["exp"] <= claims["iat"] + 3600, "too long"
        except Exception as error:
            self.reply_json(400, {"error": "invalid_grant", "error_description": f"Invalid JWT: {error}"})
            return
        self.issue()

    def serve_metadata(self):
        if self.headers.get("Metadata-Flavor") != "Google":
            self.reply(403)
        elif refused[0] < REFUSALS:
            refused[0] += 1
            self.reply(404)
        else:
            self.issue([("Metadata-Flavor", "Google")])

    def forward(self, body):
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if tokens.get(token, 0) == 0:
            self.reply_json(401, {"error": {"code": 401, "message": "Invalid Credentials"}})
            return
        tokens[token] -= 1
        upstream = http.client.HTTPConnection("127.0.0.1", UPSTREAM)
        headers = {name: value for name, value in self.headers.items() if name.lower() != "authorization"}
        upstream.request(self.command, self.path, body, headers)
        answer = upstream.getresponse()
        content = answer.read()
        self.reply(answer.status, content, [(name, value) for name, value in answer.getheaders()
                                            if name.lower() not in ("content-length", "transfer-encoding",
                                                                    "connection")])
        upstream.close()


http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Front).serve_forever()
