# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets in what a server says: it may quote a request, in whatever way it writes text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from html import escape
from typing import Any
from urllib.parse import quote, quote_plus

from .._converge import MASK


class Masking:
    """Puts asterisks in the place of secrets.

    :param secrets: as they were sent.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets if secret for form in _forms(secret)}
        # The longest first, so that no part of one is left over.
        self._forms = sorted(forms, key=len, reverse=True)

    def text(self, text: str) -> str:
        """``text`` without the secrets. It has to be whole: of one that is cut, the head would be left."""
        for form in self._forms:
            text = text.replace(form, MASK)
        return text

    def value(self, value: Any) -> Any:
        """A value of JSON without the secrets in its texts."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(one) for one in value]
        if isinstance(value, dict):
            return {self.text(str(key)): self.value(one) for key, one in value.items()}
        return value


def _forms(secret: str) -> Iterator[str]:
    """A secret as it is, as parts of Python's and of JSON's literals have it, in a URL, and in HTML."""
    literals = [
        secret,
        repr(secret)[1:-1],
        repr(secret + "'")[1:-2],  # with the other quotes
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
    ]
    for literal in literals:
        yield literal
        yield literal.replace("/", "\\/")
        yield json.dumps(literal)[1:-1]  # JSON in JSON
        yield escape(literal)
        yield escape(literal, quote=False)
    for encoded in (quote(secret), quote(secret, safe=""), quote_plus(secret)):
        yield encoded
        yield _lower_hex(encoded)


def _lower_hex(encoded: str) -> str:
    parts = encoded.split("%")
    return "%".join([parts[0], *(part[:2].lower() + part[2:] for part in parts[1:])])
