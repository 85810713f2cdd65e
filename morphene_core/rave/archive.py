"""The bytes of an exported model: the same from the same model, and nothing of the machine."""

import io
import re

import torch

_DEBUG = ".debug_pkl"  # maps code to the source files of the exporting machine
_WRITERS_OWN = {"version", "byteorder", ".data/serialization_id"}
_MANGLED = re.compile(rb"___torch_mangle_\d+")
_CONSTANTS = re.compile(rb"(?m)(?:^  \w+ : Final\[.*\n)+")


def archive_of(module: torch.nn.Module) -> bytes:
    """Return a module, scripted, as the contents of a .ts.

    torch puts three things into it that have nothing to do with the module, and differ: the paths
    of source files, numbers of types that go on for as long as a process lives, and an order of
    constants that follows from the process's hash seed. The first are left out, the others made
    regular.
    """
    # Types that were compiled before would take the names that these had at first.
    torch._C._jit_clear_class_registry()
    torch.jit._recursive.concrete_type_store = torch.jit._recursive.ConcreteTypeStore()
    torch.jit._state._clear_class_state()
    scripted = io.BytesIO()
    torch.jit.save(torch.jit.script(module), scripted)
    return _regular(scripted.getvalue())


def _regular(archive: bytes) -> bytes:
    reader = torch._C.PyTorchFileReader(io.BytesIO(archive))
    records = {
        record: reader.get_record(record)
        for record in reader.get_all_records()
        if record not in _WRITERS_OWN and not record.endswith(_DEBUG)
    }
    numbers: dict[bytes, bytes] = {}
    for name in _MANGLED.findall(records["data.pkl"]):  # types in the order of the modules
        numbers.setdefault(name, b"___torch_mangle_%d" % len(numbers))

    def renumbered(text: bytes) -> bytes:
        return _MANGLED.sub(lambda name: numbers[name[0]], text)

    regular = {}
    for record, contents in records.items():
        if record.startswith("code/"):
            contents = _CONSTANTS.sub(_sorted_lines, renumbered(contents))
        elif record == "data.pkl":
            contents = renumbered(contents)
        regular[renumbered(record.encode()).decode()] = contents
    return _written(regular)


def _sorted_lines(run: re.Match[bytes]) -> bytes:
    return b"".join(sorted(run[0].splitlines(keepends=True)))


def _written(records: dict[str, bytes]) -> bytes:
    archive = io.BytesIO()
    writer = torch._C.PyTorchFileWriter(archive)
    for record in sorted(records):
        writer.write_record(record, records[record], len(records[record]))
    writer.write_end_of_file()
    return archive.getvalue()
