"""toxiproxy, which troubles TCP connections; built from its Go module."""
import contextlib
import json
import urllib.request

import gs_server
import parts

MODULE = "github.com/Shopify/toxiproxy/v2/cmd/server@v2.5.0"


class Toxiproxy(gs_server.Server):
    """A proxy at `proxy_port`; close() ends it."""

    def __init__(self):
        port, self.proxy_port = parts.free_ports(2)
        super().__init__([str(parts.go_program(MODULE)), "-port", str(port), "-seed", "1"], port)

    def ask(self, path, document=None, method=None):
        # It refuses what says that it comes from a browser.
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method,
                                         data=json.dumps(document).encode() if document else None,
                                         headers={"User-Agent": "churn", "Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read()

    def lead_to(self, upstream_port):
        self.ask("/proxies", {"name": "store", "listen": f"127.0.0.1:{self.proxy_port}",
                              "upstream": f"127.0.0.1:{upstream_port}"})

    @contextlib.contextmanager
    def toxic(self, kind, stream, **attributes):
        """What it does to the bytes that go "upstream" or "downstream", of every connection, until the end."""
        self.ask("/proxies/store/toxics", {"name": "toxic", "type": kind, "stream": stream, "attributes": attributes})
        try:
            yield
        finally:
            self.heal()

    def heal(self):
        """All that it was told to do; nothing may be left of it."""
        for toxic in json.loads(self.ask("/proxies/store/toxics")):
            self.ask(f"/proxies/store/toxics/{toxic['name']}", method="DELETE")
