# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """The way to an Omni instance's REST API."""

    DOCUMENTATION = r"""
options:
  api_url:
    description:
      - Address of the Omni instance, such as V(https://example.omniapp.co). With V(/api) or V(/api/v1) at its end
        it means the same.
      - It has to be C(https), because every request carries O(api_token). Redirects are not followed.
      - Falls back to the environment variable E(OMNI_BASE_URL).
    type: str
    required: true
  api_token:
    description:
      - API key of the Omni instance. To list and to create connections, it has to be an Organization Admin's.
      - Falls back to the environment variables E(OMNI_API_TOKEN) and E(OMNI_API_KEY), in that order.
    type: str
    required: true
  validate_certs:
    description:
      - Whether the instance has to prove by its certificate that it is the one which O(api_url) names.
      - With V(false), whoever is on the way can read O(api_token).
    type: bool
    default: true
  ca_path:
    description:
      - File (or folder) with the certificates of the authorities to trust, where the instance, or a proxy on the
        way to it, has a certificate that the usual ones did not sign.
    type: path
  timeout:
    description:
      - How long a request may take in all, in seconds, from the look-up of Omni's name to the last byte of the
        answer. Then it is given up.
      - A request that only reads is tried again where that may help. One that writes is not repeated before
        a fresh read has shown that it was not done.
    type: int
    default: 30
  total_timeout:
    description:
      - How long a task may be busy with its requests in all, in seconds. The tries after trouble count, and so does
        the wait for the turn of a request where O(requests_per_minute) are used up, and for another task of the run
        that works on the same connection or reads the list that this one needs. The time between two looks at
        a refresh that goes on does not.
    type: int
    default: 900
  requests_per_minute:
    description:
      - How many requests a minute Omni allows for O(api_token). The tasks of one run that use the same key share
        them, so that forks wait for their turn instead of being refused. Where that takes more than five seconds,
        a line says how long, and how many requests come first; a task that is shipped to a host cannot say it.
      - Omni allows V(60), and up to V(500) for those who asked its support.
    type: int
    default: 60
requirements:
  - requests >= 2.25, on the host that runs the module
notes:
  - A request that Omni puts off (status 429) is repeated up to four times, after the time that C(Retry-After)
    names in seconds or as a date, or after 5, 10, 20 and 40 seconds. All tasks of the run that use the same key
    wait that long.
  - The connections and the models of an instance are listed once a run and API key, however many hosts there are;
    what the run itself changed is read anew. A task that is shipped to a host, or that runs in a process of its
    own, shares nothing and asks by itself. An answer may have up to 32 MiB.
  - The environment variables E(HTTPS_PROXY) and E(NO_PROXY) are honoured; a C(.netrc) file is not read.
  - Where the connection is local and nothing of the task asks for a process of its own, the module runs inside
    Ansible's worker, in the Python that runs Ansible; C(omni_connect_in_process=false) as a variable switches
    that off. At C(-vvv) a line says which way was taken, and why.
"""
