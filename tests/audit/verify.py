"""A verifier of Lanyard's log, written from docs/AUDIT-FORMAT.md alone.

    verify.py --key VKEY [--key VKEY ...] [--anchor FILE] FILE ...

prints a JSON object for each FILE: its verdict, and for a broken one the kind, index and until of
the first finding. Python's standard library is all it needs.
"""

import argparse
import base64
import functools
import hashlib
import json
import re
import sys

BLOCK = 256
LONGEST = 1048576
NUMBERS = 2**64
INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z", re.ASCII)
DECIMAL = re.compile(r"0|[1-9][0-9]*", re.ASCII)


class Finding(Exception):
    """The first thing that is wrong."""

    def __init__(self, kind, index=None, until=None):
        super().__init__(kind)
        self.kind, self.index, self.until = kind, index, until


class Malformed(Exception):
    """Something is not in its form."""


class Untrusted(Exception):
    """No given key signed it."""


# Ed25519 (RFC 8032 section 5.1), verification only.

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)


def add(a, b):
    e = (a[1] - a[0]) * (b[1] - b[0]) % P
    f = (a[1] + a[0]) * (b[1] + b[0]) % P
    g = 2 * a[3] * b[3] * D % P
    h = 2 * a[2] * b[2] % P
    w, x, y, z = f - e, h - g, h + g, f + e
    return (w * x % P, y * z % P, x * y % P, w * z % P)


def times(scalar, point):
    total = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            total = add(total, point)
        point = add(point, point)
        scalar >>= 1
    return total


def same(a, b):
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def point_of(data):
    sign = data[31] >> 7
    y = int.from_bytes(data, "little") & (2**255 - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_ONE % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


BASE = point_of((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


@functools.cache
def is_signature(public, text, signature):
    if len(signature) != 64:
        return False
    a, r = point_of(public), point_of(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L:
        return False
    digest = hashlib.sha512(signature[:32] + public + text).digest()
    k = int.from_bytes(digest, "little") % L
    return same(times(s, BASE), add(r, times(k, a)))


# Forms.


def bytes_of(text):
    """The bytes of a base64 text that is written as it must be."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise Malformed from None
    if base64.b64encode(data).decode() != text:
        raise Malformed
    return data


def hash_of(text):
    data = bytes_of(text)
    if len(data) != 32:
        raise Malformed
    return data


def hashes_of(text):
    data = bytes_of(text)
    if len(data) % 32:
        raise Malformed
    return [data[at : at + 32] for at in range(0, len(data), 32)]


def once(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Malformed
    return members


def object_of(line, members):
    """The object of a line, with these members of these types and no others."""
    try:
        value = json.loads(line.decode(), object_pairs_hook=once)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise Malformed from None
    if type(value) is not dict or value.keys() != members.keys():
        raise Malformed
    for name, kind in members.items():
        if type(value[name]) is not kind:
            raise Malformed
        if kind is int and not 0 <= value[name] < NUMBERS:
            raise Malformed
    return value


# Keys, notes, checkpoints.


def is_name(name):
    wrong = any(c.isspace() or c < " " or "\x7f" <= c <= "\x9f" or c == "+" for c in name)
    return name != "" and not wrong


def key_of(text):
    """(name, key id, public key) of a public key's text."""
    parts = text.split("+", 2)
    if len(parts) != 3:
        raise Malformed
    name, key_id, key = parts[0], parts[1], bytes_of(parts[2])
    expected = hashlib.sha256(name.encode() + b"\n" + key).digest()[:4]
    if not is_name(name) or len(key) != 33 or key[0] != 1 or expected.hex() != key_id:
        raise Malformed
    return name, expected, key[1:]


def opened(note, keys):
    """The text of a note that a given key signed."""
    text, empty, lines = note.rpartition("\n\n")
    text += "\n"
    if not empty or not lines.endswith("\n"):
        raise Malformed
    if any(c < " " and c != "\n" for c in text):
        raise Malformed
    signatures = [signature_of(line) for line in lines[:-1].split("\n")]
    if len(signatures) > 32:
        raise Malformed
    is_known = False
    for name, key_id, signature in signatures:
        for key in keys:
            if key[:2] == (name, key_id):
                if not is_signature(key[2], text.encode(), signature):
                    raise Malformed
                is_known = True
                break
    if not is_known:
        raise Untrusted
    return text


def signature_of(line):
    if not line.startswith("\u2014 "):
        raise Malformed
    name, space, signature = line[2:].partition(" ")
    data = bytes_of(signature)
    if not space or not is_name(name) or len(data) < 5:
        raise Malformed
    return name, data[:4], data[4:]


def checkpoint_of(note, keys):
    """(origin, size, root) of a checkpoint that a given key signed."""
    lines = opened(note, keys).split("\n")[:-1]
    if len(lines) < 3 or "" in lines[3:]:
        raise Malformed
    origin, size, root = lines[:3]
    if origin == "" or any("\x7f" <= c <= "\x9f" for c in origin):
        raise Malformed
    if not DECIMAL.fullmatch(size) or int(size) >= NUMBERS:
        raise Malformed
    return origin, int(size), hash_of(root)


# The tree.


def sha(data):
    return hashlib.sha256(data).digest()


def leaf_of(line):
    return sha(b"\x00" + line)


def node_of(left, right):
    return sha(b"\x01" + left + right)


def root_of(leaves):
    if not leaves:
        return sha(b"")
    if len(leaves) == 1:
        return leaves[0]
    k = 1 << ((len(leaves) - 1).bit_length() - 1)
    return node_of(root_of(leaves[:k]), root_of(leaves[k:]))


def led_to(h, i, n, path):
    """What a path leads to, and the hashes that stood left on it, from the left."""
    left = []
    if i >= n:
        raise Malformed
    last = n - 1
    for p in path:
        if last == 0:
            raise Malformed
        if i % 2 or i == last:
            left.append(p)
            h = node_of(p, h)
            while i % 2 == 0:
                i, last = i // 2, last // 2
        else:
            h = node_of(h, p)
        i, last = i // 2, last // 2
    if last != 0:
        raise Malformed
    return h, left[::-1]


# Files.


class Lines:
    """The lines of a file, one at hand."""

    def __init__(self, path):
        self.file = open(path, "rb")
        self.digest = hashlib.sha256()
        self.line = b""
        self.go_on()

    def go_on(self):
        self.digest.update(self.line)
        self.line = self.file.readline(LONGEST)

    @property
    def what(self):
        if not self.line.endswith(b"\n"):
            return "nothing"
        for name in ("block", "disclosed", "end", "signature"):
            if self.line.startswith(b'{"%s":' % name.encode()):
                return name
        return "entry"

    @property
    def text(self):
        return self.line[:-1]


HEADER = {
    "lanyard_audit": int,
    "log": str,
    "origin": str,
    "made_at": str,
    "selection": bool,
    "from": int,
    "to": int,
    "checkpoint": str,
    "keys": list,
}
BLOCK_LINE = {"block": int, "leaves": str, "path": str}


def header_of(line):
    header = object_of(line, HEADER)
    if any(type(key) is not str for key in header["keys"]):
        raise Malformed
    return header


class Export:
    """An export, checked from its first line to its last."""

    def __init__(self, path, keys, anchor=None):
        self.lines, self.keys = Lines(path), keys
        self.read_header()
        self.anchor = Anchor(anchor, keys, self.origin) if anchor else None
        self.count = 0
        self.blocks()
        self.end()
        if self.anchor:
            self.anchor.end(self)

    def read_header(self):
        if self.lines.what == "nothing":
            raise Finding("header")
        try:
            header = header_of(self.lines.text)
        except Malformed:
            raise Finding("header") from None
        try:
            self.origin, self.size, self.root = checkpoint_of(header["checkpoint"], self.keys)
        except Untrusted:
            raise Finding("untrusted") from None
        except Malformed:
            raise Finding("checkpoint") from None
        self.start, self.to = header["from"], header["to"]
        self.made_at, self.selection = header["made_at"], header["selection"]
        log = header["log"]
        _, audit, named = self.origin.rpartition("/audit/")
        if (
            header["lanyard_audit"] != 1
            or header["origin"] != self.origin
            or not audit
            or named != log
            or not self.start <= self.to <= self.size
            or not INSTANT.fullmatch(self.made_at)
        ):
            raise Finding("header")
        self.beginning = b'{"v":1,"log":"%s","index":' % log.encode()
        self.lines.go_on()

    def ends_of(self, number):
        """The block's entries in the log, and those of them in the range."""
        low, high = number * BLOCK, min((number + 1) * BLOCK, self.size)
        return low, high, max(low, self.start), min(high, self.to)

    def blocks(self):
        if self.start == self.to:
            return
        expected, last = self.start // BLOCK, (self.to - 1) // BLOCK
        while expected <= last:
            first, high = self.ends_of(expected)[2:]
            what = self.lines.what
            if what == "end" and self.selection:
                return
            if what != "block":
                raise Finding(
                    {
                        "nothing": "truncated",
                        "disclosed": "disclosure",
                        "entry": "inserted",
                        "end": "missing",
                        "signature": "missing",
                    }[what],
                    first,
                )
            try:
                line = object_of(self.lines.text, BLOCK_LINE)
            except Malformed:
                raise Finding("block", first, high) from None
            number = line["block"]
            if number < expected:
                raise Finding("inserted", first)
            if number > expected and not (self.selection and number <= last):
                raise Finding("missing", first)
            self.block(number, line)
            expected = number + 1

    def block(self, number, line):
        low, end, first, high = self.ends_of(number)
        try:
            leaves, path = hashes_of(line["leaves"]), hashes_of(line["path"])
            if len(leaves) != end - low:
                raise Malformed
            count = -(-self.size // BLOCK)
            root, left = led_to(root_of(leaves), number, count, path)
            if root != self.root:
                raise Malformed
        except Malformed:
            raise Finding("block", first, high) from None
        self.lines.go_on()
        if self.anchor:
            self.anchor.block(number, leaves, left)
        if self.selection:
            self.selected(leaves, low, first, high)
            return
        for k in range(first, high):
            what = self.lines.what
            if what == "disclosed":
                raise Finding("disclosure", k)
            if what != "entry" or leaf_of(self.lines.text) != leaves[k - low]:
                self.explain(leaves[k - low : high - low], k)
            if self.claimed() != k:
                raise Finding("mislabeled", k)
            self.accept(k)

    def selected(self, leaves, low, first, high):
        after = first
        while self.lines.what == "entry":
            k = self.claimed()
            if k is None or not first <= k < high:
                raise Finding("altered", after)
            if k < after:
                raise Finding("reordered", k)
            if leaf_of(self.lines.text) != leaves[k - low]:
                raise Finding("altered", k)
            self.accept(k)
            after = k + 1
        if self.lines.what == "disclosed":
            raise Finding("disclosure", after)
        if self.lines.what == "nothing":
            raise Finding("truncated", after)

    def claimed(self):
        """The index with which the line begins."""
        if not self.lines.text.startswith(self.beginning):
            return None
        digits, comma, _ = self.lines.text[len(self.beginning) :].partition(b",")
        text = digits.decode("latin-1")
        if not comma or not DECIMAL.fullmatch(text) or int(text) >= NUMBERS:
            return None
        return int(text)

    def accept(self, k):
        entry = self.lines.text
        self.count += 1
        self.lines.go_on()
        if self.lines.what == "disclosed":
            if not is_disclosed(self.lines.text, entry, k):
                raise Finding("disclosure", k)
            self.lines.go_on()

    def explain(self, rest, k):
        """Raises what is wrong where leaf k, the first of rest, should be."""
        found = []
        while len(found) < 512:
            if self.lines.what == "entry":
                found.append(leaf_of(self.lines.text))
            elif self.lines.what != "disclosed":
                break
            self.lines.go_on()
        if not found:
            raise Finding("truncated" if self.lines.what == "nothing" else "missing", k)
        is_later = found[0] in rest[1:]
        if rest[0] in found[1:]:
            raise Finding("reordered" if is_later else "inserted", k)
        raise Finding("missing" if is_later else "altered", k)

    def end(self):
        what = self.lines.what
        if what == "signature":
            raise Finding("end")
        if what != "end":
            names = {"nothing": "truncated", "disclosed": "disclosure"}
            raise Finding(names.get(what, "inserted"), self.to)
        try:
            line = object_of(self.lines.text, {"end": int})
        except Malformed:
            raise Finding("end") from None
        if line["end"] != self.count:
            raise Finding("end")
        self.lines.go_on()
        if self.lines.what == "nothing":
            raise Finding("truncated", self.to)
        if self.lines.what != "signature":
            raise Finding("end")
        digest = base64.b64encode(self.lines.digest.digest()).decode()
        text = f"lanyard audit export v1\n{self.origin}\n{digest}\n"
        try:
            line = object_of(self.lines.text, {"signature": str})
            if opened(line["signature"], self.keys) != text:
                raise Malformed
        except (Malformed, Untrusted):
            raise Finding("signature") from None
        self.lines.go_on()
        if self.lines.line:
            raise Finding("end")


def is_disclosed(line, entry, k):
    try:
        shown = object_of(line, {"disclosed": int, "fields": dict})
        detail = json.loads(entry.decode())["detail"]
        for name, field in shown["fields"].items():
            if type(field) is not dict or field.keys() != {"salt", "value"}:
                return False
            if type(field["salt"]) is not str or type(field["value"]) is not str:
                return False
            salt = hash_of(field["salt"])
            digest = base64.b64encode(sha(salt + field["value"].encode())).decode()
            if detail[name]["salted"] != digest:
                return False
    except (Malformed, ValueError, KeyError, TypeError):
        return False
    return shown["disclosed"] == k and len(shown["fields"]) > 0


class Anchor:
    """An anchor file, or another export."""

    def __init__(self, path, keys, origin):
        self.keys, self.origin = keys, origin
        with open(path, "rb") as file:
            self.is_export = file.read(17) == b'{"lanyard_audit":'
        if self.is_export:
            try:
                Export(path, keys)
            except Finding:
                raise Finding("anchor") from None
        self.lines = Lines(path)
        self.agreed = 0
        self.compared = 0
        self.next = None
        self.next = self.read()

    def read(self):
        """(made at, size, root) of the next checkpoint."""
        if self.lines.what == "nothing" or (self.is_export and self.next):
            return None
        try:
            if self.is_export:
                header = header_of(self.lines.text)
                made_at, note = header["made_at"], header["checkpoint"]
            else:
                line = object_of(self.lines.text, {"made_at": str, "note": str})
                made_at, note = line["made_at"], line["note"]
            origin, size, root = checkpoint_of(note, self.keys)
        except (Malformed, Untrusted):
            raise Finding("anchor") from None
        if origin != self.origin or not INSTANT.fullmatch(made_at):
            raise Finding("anchor")
        if self.next and size < self.next[1]:
            raise Finding("anchor")
        self.lines.go_on()
        return made_at, size, root

    def take(self):
        taken, self.next = self.next, self.read()
        return taken

    def leaves_of(self, number):
        while self.is_export and self.lines.what != "nothing":
            if self.lines.what == "block":
                line = object_of(self.lines.text, BLOCK_LINE)
                if line["block"] == number:
                    return hashes_of(line["leaves"])
                if line["block"] > number:
                    break
            self.lines.go_on()
        return []

    def block(self, number, leaves, left):
        low = number * BLOCK
        for at, (ours, theirs) in enumerate(zip(leaves, self.leaves_of(number))):
            if ours != theirs:
                raise Finding("forked", low + at, low + at + 1)
            self.compared += 1
        while self.next and self.next[1] <= low + len(leaves):
            _, size, root = self.take()
            if size >= low:
                self.compare(size, root, root_before(left, leaves[: size - low]))
                self.agreed = size

    def compare(self, size, root, ours):
        if root != ours:
            raise Finding("forked", min(self.agreed, max(size - 1, 0)), size)
        self.compared += 1

    def end(self, export):
        while self.next:
            made_at, size, root = self.take()
            if size > export.size and made_at <= export.made_at:
                raise Finding("truncated", export.size)
            if size == export.size:
                self.compare(size, root, export.root)
            elif size == 0:
                self.compare(size, root, sha(b""))
        if not self.compared:
            raise Finding("anchor")


def root_before(left, leaves):
    """The root of full subtrees from the left, and of leaves after them."""
    parts = list(left)
    while leaves:
        k = 1 << (len(leaves).bit_length() - 1)
        parts.append(root_of(leaves[:k]))
        leaves = leaves[k:]
    if not parts:
        return sha(b"")
    h = parts[-1]
    for p in reversed(parts[:-1]):
        h = node_of(p, h)
    return h


def verdict_of(path, keys, anchor):
    try:
        Export(path, keys, anchor)
    except Finding as finding:
        return {
            "verdict": "broken",
            "kind": finding.kind,
            "index": finding.index,
            "until": finding.until,
        }
    return {"verdict": "whole"}


def main():
    parser = argparse.ArgumentParser(description="Checks exports of Lanyard's log.")
    parser.add_argument("--key", action="append", required=True, metavar="VKEY")
    parser.add_argument("--anchor", metavar="FILE")
    parser.add_argument("file", nargs="+")
    asked = parser.parse_args()
    try:
        keys = [key_of(text) for text in asked.key]
    except Malformed:
        sys.exit("not a key")
    verdicts = [verdict_of(path, keys, asked.anchor) for path in asked.file]
    for verdict in verdicts:
        print(json.dumps(verdict))
    if any(verdict["verdict"] != "whole" for verdict in verdicts):
        sys.exit(1)


if __name__ == "__main__":
    main()
