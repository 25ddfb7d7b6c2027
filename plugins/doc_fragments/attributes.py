# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


from __future__ import annotations


class ModuleDocFragment:
    """What check mode, diff mode and a second run mean for the modules of this collection."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    support: full
    description:
      - Can run in C(check_mode) and return changed status prediction without modifying target.
      - It only reads, and returns the very statements or requests that a run would send.
  diff_mode:
    support: full
    description:
      - Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
  idempotent:
    support: full
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no
        change.
"""

    INFO = r"""
options: {}
attributes:
  check_mode:
    support: full
    description: This action does not modify state.
  diff_mode:
    support: N/A
    description: This action does not modify state.
  idempotent:
    support: full
    description: This action does not modify state.
"""

    ACTION_GROUP_POSTGRES = r"""
options: {}
attributes:
  action_group:
    support: full
    description: Use C(group/omni_analytics.connect.postgres) in C(module_defaults) to set defaults for this module.
    membership:
      - omni_analytics.connect.postgres
"""

    ACTION_GROUP_OMNI = r"""
options: {}
attributes:
  action_group:
    support: full
    description: Use C(group/omni_analytics.connect.omni) in C(module_defaults) to set defaults for this module.
    membership:
      - omni_analytics.connect.omni
"""
