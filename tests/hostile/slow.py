"""Connects many slow clients of several kinds, and measures when the server closes each.

Usage: slow.py HOST PORT TOKEN CLIENTS

With the port 0 they connect to a server that closes nothing, made here as a control. Prints one JSON
object: for each kind how many clients there were, how many were refused at once, how many were closed
and when the last, and how many never were.
"""

import heapq
import json
import resource
import select
import socket
import sys
import time

HOST, PORT, TOKEN, CLIENTS = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])

# Addresses of this machine from which no other client connects.
SOURCES = ["127.0.0.2", "127.0.0.3"]
PAUSE = 3.0
PATIENCE = 26.0
# When a client that does not read looks whether the server has closed it, which it must have at 15 s.
# Buffered data comes before the end.
LOOK = 16.0

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
PING = b"\0\0\x08\x06\0\0\0\0\0" + b"pingpong"
# A head without an end: END_HEADERS is not set.
HALF_HEAD = b"\0\0\1\1\0\0\0\0\1\x82"


def head(method, path, *lines):
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: slow", *lines, "", ""]).encode()


BEARER = f"Authorization: Bearer {TOKEN}"
LONG = "Content-Length: 1000000"
FORM = "Content-Type: application/x-www-form-urlencoded"

# What is sent at once, what is sent every few seconds, and the limit after which the server closes:
# seconds since the beginning, or since the last response.
KINDS = {
    "silent": (b"", b"", 15),
    "slow head": (b"GET /healthz HTTP/1.1\r\nX: ", b"x", 15),
    "half a head": (b"GET /healthz HTTP/1.1\r\nHost: slow\r\n", b"", 15),
    "slow body": (head("POST", "/collect", BEARER, LONG), b" ", 15),
    "slow body without a token": (head("POST", "/collect", LONG), b" ", 10),
    "slow question": (head("POST", "/bv/analytics/v1/events/reports", BEARER, LONG), b" ", 15),
    "slow form": (
        head("POST", "/v1/jobs", BEARER, LONG, FORM, "X-HTTP-Method-Override: GET"),
        b"x",
        15,
    ),
    "half open": (head("POST", "/collect", BEARER, LONG), None, 1),
    "idle": (head("GET", "/healthz"), b"", 15),
    "stalled reader": (head("GET", "/openapi.json") * 400, b"", 17),
    "silent, HTTP/2": (PREFACE, b"", 20),
    "pinging, HTTP/2": (PREFACE, PING, 20),
    "half a head, HTTP/2": (PREFACE + HALF_HEAD, b"", 20),
}


class Client:
    def __init__(self, kind, number):
        self.kind = kind
        self.first, self.drip, self.limit = KINDS[kind]
        self.reads = kind != "stalled reader"
        self.refused = False
        self.closed_after = None
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        # As on a network: the loopback device has segments of 64 KiB, and buffers many.
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1400)
        self.socket.bind((SOURCES[number % len(SOURCES)], 0))
        try:
            self.socket.connect((HOST, PORT))
        except BlockingIOError:
            pass
        self.begun = time.monotonic()
        self.is_open = False

    def connected(self):
        self.is_open = True
        self.begun = time.monotonic()
        self.send(self.first)
        if self.drip is None:
            self.socket.shutdown(socket.SHUT_WR)

    def send(self, data):
        try:
            self.socket.send(data)
        except OSError:
            # A closed connection is noticed when it is read.
            pass

    def catch_up(self):
        """Reads from now on, to see whether the end is near or the server still writes."""
        self.reads = True
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)

    def readable(self):
        """Reads what is there; false once the server has closed."""
        try:
            data = self.socket.recv(65536)
        except BlockingIOError:
            return True
        except OSError:
            data = b""
        if not data:
            self.closed_after = time.monotonic() - self.begun
            return False
        if b"CONNECTIONS_FULL" in data:
            self.refused = True
        if self.kind == "idle":
            self.begun = time.monotonic()
        return True


class Attack:
    def __init__(self):
        self.poll = select.epoll()
        self.open = {}
        self.clients = []
        self.due = []

    def add(self, client):
        self.clients.append(client)
        self.open[client.socket.fileno()] = client
        self.poll.register(client.socket.fileno(), select.EPOLLOUT)

    def close(self, number):
        self.poll.unregister(number)
        self.open.pop(number).socket.close()

    def event(self, number):
        client = self.open[number]
        if not client.is_open:
            client.connected()
            self.poll.modify(number, select.EPOLLIN if client.reads else 0)
            if client.drip:
                heapq.heappush(self.due, (client.begun + PAUSE, number, client))
            if not client.reads:
                # The end is not seen without reading, so it looks once it must have come.
                heapq.heappush(self.due, (client.begun + LOOK, number, client))
        elif not client.readable():
            self.close(number)

    def drip(self, now):
        while self.due and self.due[0][0] <= now:
            at, number, client = heapq.heappop(self.due)
            if self.open.get(number) is not client:
                continue
            if client.reads:
                client.send(client.drip)
                heapq.heappush(self.due, (at + PAUSE, number, client))
            else:
                client.catch_up()
                self.poll.modify(number, select.EPOLLIN)

    def run(self):
        kinds = list(KINDS)
        begun = time.monotonic()
        while self.open or len(self.clients) < CLIENTS:
            # No more at once than fit into the system's queue.
            for _ in range(min(100, CLIENTS - len(self.clients))):
                number = len(self.clients)
                self.add(Client(kinds[number % len(kinds)], number // len(kinds)))
            for number, _ in self.poll.poll(0.02):
                self.event(number)
            now = time.monotonic()
            self.drip(now)
            if now > begun + PATIENCE + CLIENTS / 2000:
                break

    def outcome(self):
        kinds = {}
        for client in self.clients:
            kind = kinds.setdefault(
                client.kind,
                {"clients": 0, "refused": 0, "left": 0, "closed": 0, "latest": 0.0, "limit": client.limit},
            )
            kind["clients"] += 1
            if client.refused:
                kind["refused"] += 1
            elif client.closed_after is None:
                kind["left"] += 1
            else:
                kind["closed"] += 1
                kind["latest"] = max(kind["latest"], client.closed_after)
        return kinds


def main():
    global PORT
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if PORT == 0:
        patient = socket.create_server((HOST, 0), backlog=1024)
        PORT = patient.getsockname()[1]
    attack = Attack()
    attack.run()
    print(json.dumps(attack.outcome()))


main()
