"""What the Python clients of mqtt_matrix.py share: the words of README.md on standard input and output."""
import sys

WAIT_S = 30


def encode(word):
    return bytes(i % 251 for i in range(int(word[1:]))) if word.startswith("*") else word.encode()


def decode(payload):
    if len(payload) < 100:
        return payload.decode()
    return f"*{len(payload)}" if payload == encode(f"*{len(payload)}") else "damaged"


def say(*words):
    sys.stdout.write(" ".join(map(str, words)) + "\n")  # in one piece: several threads speak
    sys.stdout.flush()


def serve(program):
    """One method call per line, until there are no more."""
    for line in sys.stdin:
        verb, *words = line.split()
        try:
            getattr(program, verb)(*words)
        except Exception as failure:  # whatever the library throws is the answer
            say("error", repr(failure))
