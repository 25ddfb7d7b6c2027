# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts the Jinja templates that Ansible compiles, and the lexers that it makes for them, in the controller and in
each worker (ansible-core 2.16 to 2.20).

A worker is forked for one task of one host, and what it compiles is gone with it.
"""

from __future__ import annotations

import os
from pathlib import Path

from ansible.plugins.callback import CallbackBase
from jinja2 import Environment
from jinja2.lexer import Lexer

DOCUMENTATION = r"""
name: templates
type: notification
short_description: One line for each template and each lexer
description:
  - Appends to the file that E(HARNESS_TEMPLATES) names.
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]  # Ansible ships no types
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "templates"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        path = Path(os.environ["HARNESS_TEMPLATES"])
        path.write_text(f"{os.getpid()} the controller\n")
        compiled = Environment.compile

        def compile_and_count(self, source, *args, **kwargs):
            with path.open("a") as file:
                file.write(f"{os.getpid()} {source!r}\n")
            return compiled(self, source, *args, **kwargs)

        Environment.compile = compile_and_count  # type: ignore[method-assign]
        made = Lexer.__init__

        def make_and_count(self, environment):
            with path.open("a") as file:
                file.write(f"{os.getpid()} lexer\n")
            made(self, environment)

        Lexer.__init__ = make_and_count  # type: ignore[method-assign]
