"""Has every picture a name of its own, which tags and lists can write?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mmppc.doctor.finding import ERROR, OK, WARNING, Finding, plural, printable

CHECK = 'pictures: names'


def check_picture_names(
    files: Mapping[str, Sequence[str]],
    used: Mapping[str, str],
    *,
    listed: bool,
    named_in_text: bool,
) -> list[Finding]:
    """Files that share a sample id, and names that are not UTF-8.

    Args:
        files: Sample id -> paths below the folder, as :func:`~mmppc.datasets.names.list_files` gives them.
        used: Sample id -> the path that is read.
        listed: Whether lists say which files are read, and so may choose among those of one id.
        named_in_text: Whether tags or lists have to name the pictures.
    """
    doubles = {key: paths for key, paths in files.items() if key in used and len(paths) > 1}
    stray = [path for path in used.values() if printable(path) != path]
    findings = []
    if doubles:
        findings.append(
            Finding(
                CHECK,
                WARNING if listed else ERROR,
                f'{plural(len(doubles), "sample id")} of several files (which differ in their suffix or in how their '
                'letters are encoded); seeds and masks are filed under this id',
                'rename or remove all but one of each',
                tuple(' = '.join(paths) for paths in doubles.values()),
            )
        )
    if stray:
        findings.append(
            Finding(
                CHECK,
                ERROR if named_in_text else WARNING,
                f'{plural(len(stray), "file name")} not in UTF-8, which no tag file or list can name',
                'rename them: convmv -r -f latin1 -t utf8 --notest FOLDER',
                tuple(stray),
            )
        )
    return findings or [Finding(CHECK, OK, f'{len(used)} different sample ids')]
