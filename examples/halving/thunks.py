"""Write thunks: the texts of gg-thunk and gg-tail, in their one spelling."""
import hashlib
import os


def name(data):
    return hashlib.sha256(data).hexdigest()


def name_of_file(path):
    with open(path, "rb") as f:
        return name(f.read())


def _field(word, is_last):
    odd = set(range(0x20)) | {0x7F, 0x5C} | (set() if is_last else {0x20})
    return b"".join(b"\\x%02x" % c if c in odd else bytes([c]) for c in os.fsencode(word))


def _line(*words):
    last = len(words) - 1
    return b" ".join(_field(w, i == last) for i, w in enumerate(words)) + b"\n"


def thunk(args, values=None, thunks=None, outputs=None):
    """The text of one step, for the runtime that this program itself has.

    values: {path: name}, thunks: {path: (name of the thunk, its output)},
    outputs: {name: path}.
    """
    inputs = {path: ("value", id) for path, id in (values or {}).items()}
    inputs.update({path: ("thunk", *ref) for path, ref in (thunks or {}).items()})
    text = b"gg-thunk 1\n"
    for arg in args:
        text += _line("arg", arg)
    text += _line("cwd", ".")
    for path in sorted(inputs, key=os.fsencode):
        text += _line("in", *inputs[path], path)
    for output in sorted(outputs, key=os.fsencode):
        text += _line("out", output, outputs[output])
    return text + _line("runtime", *os.environ["GG_RUNTIME"].split(" "))


def tail(text, output, others):
    """The text that says: my value is this output of this thunk."""
    head = b"gg-tail 1\n" + _line("thunk", name(text), output)
    return b"\n".join([head, text, *others])
