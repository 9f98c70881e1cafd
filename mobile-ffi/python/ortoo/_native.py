"""The generated module, and the few words that both sides name differently.

Nothing outside this package needs the generated module: what it gives is turned into the types of
``models``, what it raises into those of ``errors``.
"""

from typing import Any

try:
    from .generated import ortoo_ffi as ffi
except (ImportError, OSError) as error:
    # No generated code, no library beside it, or one for another system.
    raise ImportError(
        "the compiled library of ortoo is missing: run `cargo xtask bindings python`"
    ) from error

_LANGUAGES = {"en": ffi.Language.ENGLISH, "zh": ffi.Language.CHINESE}
_SUBJECTS = {
    "person": ffi.Subject.PERSON,
    "household": ffi.Subject.HOUSEHOLD,
    "organisation": ffi.Subject.ORGANISATION,
}


def version() -> str:
    """The version of the compiled library."""
    return ffi.version()


def language_of(name: str) -> Any:
    """The native language of ``"en"`` or ``"zh"``."""
    return _named(_LANGUAGES, "language", name)


def subject_of(name: str) -> Any:
    """The native subject of ``"person"``, ``"household"`` or ``"organisation"``."""
    return _named(_SUBJECTS, "subject", name)


def _named(names: "dict[str, Any]", what: str, name: str) -> Any:
    if name not in names:
        raise ValueError(f"{what} is one of {', '.join(sorted(names))}")
    return names[name]
