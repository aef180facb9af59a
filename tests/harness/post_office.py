"""Receives what apprise sends: a mail server and a webhook on this machine, which refuse as often as they are told."""

from __future__ import annotations

import email
import email.policy
import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Received:
    """Holds the messages that were taken, as (subject, body). refusals: how many tries are refused before."""

    port: int = 0
    refusals: int = 0
    tries: int = 0
    messages: list[tuple[str, str]] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)  # of the bodies: `text/plain`

    def refuses(self) -> bool:
        self.tries += 1
        return self.tries <= self.refusals


@contextmanager
def mail_server(refusals: int = 0) -> Iterator[Received]:
    """Runs an SMTP server that takes any password (RFC 5321, the few commands that a client needs)."""
    received = Received(refusals=refusals)

    class Session(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.say("220 here")
            while line := self.rfile.readline():
                match line.split()[0].upper() if line.split() else b"":
                    case b"EHLO":
                        self.say("250-here", "250 AUTH PLAIN LOGIN")
                    case b"AUTH":
                        self.say("235 welcome")
                    case b"MAIL" if received.refuses():
                        self.say("451 come again")
                    case b"DATA":
                        self.say("354 go on")
                        self.take()
                        self.say("250 taken")
                    case b"QUIT":
                        self.say("221 bye")
                        return
                    case _:
                        self.say("250 yes")

        def say(self, *lines: str) -> None:
            self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())

        def take(self) -> None:
            lines = []
            while (line := self.rfile.readline()) != b".\r\n":
                lines.append(line.removeprefix(b"."))
            message = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
            received.kinds.append(message.get_content_type())
            received.messages.append((message["subject"], message.get_content().replace("\r\n", "\n").rstrip("\n")))

    with served(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session), received):
        yield received


@contextmanager
def webhook(refusals: int = 0) -> Iterator[Received]:
    """Runs a server for apprise's `json://` that answers with 503 while it refuses."""
    received = Received(refusals=refusals)

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            refused = received.refuses()
            if not refused:
                received.messages.append((told["title"], told["message"]))
            self.send_response(503 if refused else 200)
            self.end_headers()

        def log_message(self, *words: object) -> None:
            pass

    with served(ThreadingHTTPServer(("127.0.0.1", 0), Hook), received):
        yield received


@contextmanager
def served(server: socketserver.TCPServer, received: Received) -> Iterator[None]:
    received.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
