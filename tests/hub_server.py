"""A hub on this machine: the few calls of huggingface_hub for pushing and fetching, over repositories in memory."""

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

TOKEN = "hf_token_of_a_test"


class Hub:
    """Repositories by id: private or not, branches by name, commits by id with their files."""

    def __init__(self):
        self.repos, self.calls = {}, []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                hub.answer(self, "GET")

            def do_HEAD(self):
                hub.answer(self, "HEAD")

            def do_POST(self):
                hub.answer(self, "POST")

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def files(self, repo, revision="main"):
        found = self.repos[repo]
        return found["commits"][found["branches"].get(revision, revision)]

    def answer(self, request, method):
        body = request.rfile.read(int(request.headers.get("content-length") or 0))
        path = unquote(urlsplit(request.path).path)
        self.calls.append(f"{method} {path}")
        may_write = request.headers.get("authorization") == f"Bearer {TOKEN}"
        status, headers, content = self.route(method, path, body, may_write)
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        request.send_response(status)
        for name, value in {"content-type": "application/json", "content-length": str(len(data)), **headers}.items():
            request.send_header(name, value)
        request.end_headers()
        if method != "HEAD":
            request.wfile.write(data)

    def route(self, method, path, body, may_write):
        parts = path.strip("/").split("/")
        if method == "POST" and not may_write:
            return 401, {}, {"error": "Invalid credentials"}
        if parts[:2] == ["api", "validate-yaml"]:
            return 200, {}, {"errors": [], "warnings": []}
        if parts[:3] == ["api", "repos", "create"]:
            asked = json.loads(body)
            repo = f"{asked['organization']}/{asked['name']}" if asked.get("organization") else asked["name"]
            private = bool(asked.get("private")) or asked.get("visibility") == "private"
            known = repo in self.repos
            self.repos.setdefault(repo, {"private": private, "branches": {"main": "0" * 40}, "commits": {"0" * 40: {}}})
            return (409 if known else 200), {}, {"url": f"{self.address}/{repo}", "id": repo, "name": repo}
        repo = "/".join(parts[2:4]) if parts[0] == "api" else "/".join(parts[:2])
        found = self.repos.get(repo)
        if found is None or (found["private"] and not may_write):
            return 404, {"x-error-code": "RepoNotFound"}, {"error": "Repository not found"}
        rest = parts[4:] if parts[0] == "api" else parts[2:]
        return self.of_repo(repo, found, method, rest, body)

    def of_repo(self, repo, found, method, rest, body):
        what, revision = (rest[0] if rest else "revision"), (rest[1] if len(rest) > 1 else "main")
        if what == "branch":
            found["branches"].setdefault(revision, found["branches"]["main"])
            return 200, {}, {}
        commit = found["branches"].get(revision, revision)
        if commit not in found["commits"]:
            return 404, {"x-error-code": "RevisionNotFound"}, {"error": "Invalid rev id"}
        files = found["commits"][commit]
        if what == "revision":
            siblings = [{"rfilename": name} for name in files]
            return (
                200,
                {},
                {"id": repo, "modelId": repo, "sha": commit, "private": found["private"], "siblings": siblings},
            )
        if what == "tree":
            rows = [
                {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
                for name, data in files.items()
            ]
            return 200, {}, rows
        if what == "preupload":
            rows = [
                {"path": one["path"], "uploadMode": "regular", "shouldIgnore": False, "oid": None}
                for one in json.loads(body)["files"]
            ]
            return 200, {}, {"files": rows}
        if what == "commit":
            return self.commit(repo, found, revision, files, body)
        if what == "resolve":
            name = "/".join(rest[2:])
            if name not in files:
                return 404, {"x-error-code": "EntryNotFound"}, {"error": "Entry not found"}
            data = files[name]
            headers = {"etag": f'"{hashlib.sha1(data).hexdigest()}"', "x-repo-commit": commit}
            return 200, headers | {"content-type": "application/octet-stream"}, data
        return 404, {}, {"error": f"no {what}"}

    def commit(self, repo, found, revision, files, body):
        files = dict(files)
        for line in body.decode().splitlines():
            row = json.loads(line)
            if row["key"] == "file":
                files[row["value"]["path"]] = base64.b64decode(row["value"]["content"])
            elif row["key"] == "deletedFile":
                files.pop(row["value"]["path"], None)
        name = hashlib.sha1(body + revision.encode()).hexdigest()
        found["commits"][name], found["branches"][revision] = files, name
        url = f"{self.address}/{repo}/commit/{name}"
        return 200, {}, {"success": True, "commitOid": name, "commitUrl": url, "hookOutput": ""}
