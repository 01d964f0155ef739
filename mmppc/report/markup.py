"""HTML and SVG elements whose texts are escaped."""

from __future__ import annotations

from markupsafe import Markup, escape

DASH = '\u2013'
"""Where there is no value."""


def element(tag: str, *children: object, **attributes: object) -> Markup:
    """An element; children and attributes are escaped unless they are :class:`~markupsafe.Markup`.

    Attributes that are None or False are left out, True stands alone. A trailing ``_`` of a name is dropped, others
    become ``-``, so that ``class_`` and ``stroke_width`` can be written; ``viewBox`` stays as it is.

    >>> element('b', '<x>', class_='a"b')
    Markup('<b class="a&#34;b">&lt;x&gt;</b>')
    """
    parts = [f'<{tag}']
    for name, value in attributes.items():
        if value is None or value is False:
            continue
        name = name.rstrip('_').replace('_', '-')
        parts.append(f' {name}' if value is True else f' {name}="{escape(value)}"')
    inner = Markup('').join(escape(child) for child in children)
    return Markup(f'{"".join(parts)}>{inner}</{tag}>')


def join(children: list[Markup]) -> Markup:
    """The elements one after the other."""
    return Markup('').join(children)


def number(value: float) -> str:
    """A coordinate with at most two decimals.

    >>> number(3.0), number(1.256)
    ('3', '1.26')
    """
    text = f'{value:.2f}'.rstrip('0').rstrip('.')
    return '0' if text == '-0' else text
