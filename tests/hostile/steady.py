"""Downloads a file slowly: one client reads at a constant rate, another stops reading.

Usage: steady.py HOST PORT PATH BYTES_PER_SECOND SECONDS

Both have a small receive buffer, so that the server waits for them. After SECONDS both read the rest
as fast as they can: what the server had written before it closed a connection still arrives. Prints
one JSON object: the bytes of the file, and how many of them each client has got.
"""

import json
import socket
import sys
import threading
import time

HOST, PORT, PATH = sys.argv[1], int(sys.argv[2]), sys.argv[3]
RATE, SECONDS = int(sys.argv[4]), float(sys.argv[5])

# Not the address from which other clients are served.
SOURCE = "127.0.0.4"
# The stopped client reads this much first, so that the response has begun.
BEGINNING = 10_000
REST_WITHIN = 5.0


class Client:
    def __init__(self):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.bind((SOURCE, 0))
        self.socket.connect((HOST, PORT))
        self.socket.sendall(f"GET {PATH} HTTP/1.1\r\nHost: slow\r\n\r\n".encode())
        self.received = b""

    def read(self, limit):
        """Reads at most this many bytes; false at the end."""
        try:
            data = self.socket.recv(limit)
        except OSError:
            data = b""
        self.received += data
        return bool(data)

    def read_steadily(self, until):
        begun = time.monotonic()
        while (now := time.monotonic()) < until:
            due = int((now - begun) * RATE) - len(self.received)
            if due <= 0:
                time.sleep(0.02)
            elif not self.read(due):
                return
        self.read_rest()

    def stop_reading(self, until):
        while len(self.received) < BEGINNING and self.read(BEGINNING):
            pass
        time.sleep(max(0.0, until - time.monotonic()))
        self.read_rest()

    def read_rest(self):
        self.socket.settimeout(REST_WITHIN)
        while not self.is_whole() and self.read(1 << 20):
            pass

    def lengths(self):
        """The bytes of the file that arrived, and those that the head announces."""
        head, _, body = self.received.partition(b"\r\n\r\n")
        lines = [line.split(b": ") for line in head.lower().split(b"\r\n")]
        (expected,) = [int(line[1]) for line in lines if line[0] == b"content-length"]
        return len(body), expected

    def is_whole(self):
        received, expected = self.lengths()
        return received >= expected


def main():
    until = time.monotonic() + SECONDS
    steady, stopped = Client(), Client()
    readers = [
        threading.Thread(target=steady.read_steadily, args=[until]),
        threading.Thread(target=stopped.stop_reading, args=[until]),
    ]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    (read, size), (stopped_read, _) = steady.lengths(), stopped.lengths()
    print(json.dumps({"bytes": size, "steady": read, "stopped": stopped_read}))


main()
