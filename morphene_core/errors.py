"""The errors that Morphene raises on purpose.

Their text is written for a user: one or two lines that name the thing, what is wrong with it and
what to do. Anything else that is raised is a defect of ours.
"""

import os


class MorpheneError(Exception):
    """Something that a user can understand and mend."""


class InputError(MorpheneError):
    """What was given is wrong (a file, a setting, a profile). Trying again changes nothing."""


def refusal(error: OSError) -> str:
    """Return what the system refused, for a person: the path, if one is known, and the reason."""
    where = f"{os.fsdecode(error.filename)}: " if error.filename else ""
    return f"{where}{error.strerror or error}"


DAMAGED = (MorpheneError, OSError, ValueError, TypeError, KeyError, AttributeError)
"""What reading a damaged record may raise, for those that pass it over and go on with others."""
