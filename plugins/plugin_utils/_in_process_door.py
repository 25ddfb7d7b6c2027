# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The in-process door: a task whose connection is local runs inside Ansible's own worker.

Where that would not do what the module door does, the task is shipped like any other module.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator, ValidationResult
from ansible.module_utils.common.parameters import remove_values
from ansible.module_utils.errors import AnsibleValidationErrorMultiple, UnsupportedError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.action.normal import ActionModule as ShippedModule
from ansible.template import Templar
from ansible.utils.display import Display

from ..module_utils._deadline import start_thread
from ..module_utils._definition import UNRENDERED, Definition
from ..module_utils._errors import Abandoned, MissingLibrary, Skipped
from ..module_utils._option_marks import render
from . import _role_variables as role

try:
    from ansible.template import trust_as_template
except ImportError:  # up to ansible-core 2.18, which trusts every text
    trust_as_template = str

DISCOVERED = ("auto", "auto_legacy", "auto_silent", "auto_legacy_silent")
SWITCH = "omni_connect_in_process"
#: Beside the mark of shipped tasks: a file whose time is when the last async job ends at the latest.
JOBS = ".jobs"
#: The folder of the collection's own playbooks.
PLAYBOOKS = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "..", "playbooks"))

display = Display()

# Jinja's patterns are compiled with the first template of a process, and this file is imported before Ansible forks.
# So one template here spares each task of each host doing that anew.
Templar(loader=DataLoader()).template(trust_as_template("{{ 1 }}"))


class InProcess(ShippedModule):
    """An action plugin of this class serves the module of the same name."""

    definition: Definition
    #: Of the steps that may be the first: what is wrong with the role's variables, of any step.
    check_all: Callable[[Mapping[str, Any]], str] | None = None

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        task_vars = dict(task_vars or {})
        module = type(self).__module__.rpartition(".")[2]
        # Null is not given: it would become text, or keep out what the environment has.
        args = {name: value for name, value in self._task.args.items() if value is not None}
        names: Mapping[str, str] = {}
        settled, warnings = None, []
        if self._task._role is not None and self._task._role.get_name() == role.ROLE:
            names, warnings = role.callers_names(module), role.misspelled(task_vars)
            settled = self._read_variables(module, names, args, task_vars)
        self._task.args = args
        settled = settled or _refusal(self._leads_into_the_collection(args))
        result = self._through_a_door(tmp, task_vars) if settled is None else settled
        if warnings:
            result["warnings"] = [*result.get("warnings", ()), *warnings]
        if names and display.verbosity < 3:
            # The role keeps each result of each host. Its callers gave no options, and only -vvv shows them.
            result.pop("invocation", None)
        return render(result, self.definition.options, names)

    def _read_variables(
        self, module: str, names: Mapping[str, str], args: dict[str, Any], task_vars: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """Put the options of a step of the role into ``args``. The result, where its variables alone say what it is."""
        values, template, problem = task_vars, self._templar.template, ""
        if self.check_all and task_vars.get(role.ALL_STEPS):
            values, template = role.with_values(task_vars, template), _as_it_is
            problem = self.check_all(values)
        args.update(role.arguments(module, values, template))
        decide = role.DECIDE.get(module, {})
        decided, wrong = (
            role.checked(decide, role.evaluated(decide, values, template)) if decide else ({}, "")
        )
        if problem or wrong:
            return _refusal(problem or f"Checking the role's variables: {wrong}.")
        left_out, switched_off = role.left_out(decided), role.switched_off(decided)
        if left_out:
            display.display(f"{task_vars.get('inventory_hostname')}: {left_out}")
        if left_out or switched_off:
            return Skipped(left_out or switched_off).result()
        if self._connection.become and "become_user" in names:
            # As the variable ansible_become_user it would be one more template for each task, become or not.
            for user in role.evaluated([names["become_user"]], values, template).values():
                self._connection.become.set_option("become_user", user)
        return _refusal(role.no_server(names, args))

    def _leads_into_the_collection(self, args: Mapping[str, Any]) -> str:
        """What is wrong with a relative path in one of the collection's own playbooks: what is written there goes
        with the next version."""
        relative = [(name, path) for name, path in args.items() if self._is_relative(name, path)]
        for name, path in relative:
            folder = self._loader.get_basedir()
            if os.path.realpath(folder) == PLAYBOOKS and self._connection.transport == "local":
                return (
                    f"Reading O({name}): {path} begins where the playbook is, in {folder}. Give the whole path, "
                    f'such as "{{{{ inventory_dir }}}}/{path}".'
                )
        return ""

    def _is_relative(self, name: str, path: Any) -> bool:
        """Whether an option has a path that begins at the playbook. What libpq takes for something else than a
        file is none: ``ca_cert: system``, and a socket's ``@name``."""
        of_paths = self.definition.options.get(name, {}).get("type") == "path"
        if not of_paths or not path or path == "system":
            return False
        whole = os.path.expanduser(os.path.expandvars(str(path)))  # as the option will have it
        return not (whole.startswith("@") or os.path.isabs(whole))

    def _through_a_door(self, tmp: Any, task_vars: dict[str, Any]) -> dict[str, Any]:
        reason, controllers_python = self._why_ship(task_vars)
        host = task_vars.get("inventory_hostname")
        if reason:
            display.vvv(f"{self._task.action}: through the module door ({reason})", host=host)
            if controllers_python:
                task_vars = self._with_interpreter(task_vars, sys.executable)
            try:
                start_thread(_end_with_ansible)
                shipped = self._with_both_pythons(super().run(tmp, task_vars))
            finally:
                self._note_shipped()
            if UNRENDERED in shipped:
                shipped["warnings"] = [*shipped.get("warnings", ()), *shipped.pop(UNRENDERED)]
            return shipped
        self._heed_jobs()
        display.vvv(f"{self._task.action}: in-process, in {sys.executable}", host=host)
        result = self._perform(lambda line: display.display(f"{host}: {line}"))
        if not _repeats_arguments(task_vars):
            result.pop("invocation", None)
        return result

    def _why_ship(self, task_vars: Mapping[str, Any]) -> tuple[str, bool]:
        """Why this task has to go through the module door ("" where it does not), and whether it can
        run there in the controller's own Python, where the libraries are."""
        if not boolean(self._templar.template(task_vars.get(SWITCH, True)), strict=False):
            return f"{SWITCH} is false", False
        if self._connection.transport != "local":
            return f"the connection is {self._connection.transport}", False
        if self._connection.become:
            return "become is set", False
        interpreter = self._interpreter(task_vars)
        if interpreter and not _same_python(interpreter):
            return f"the interpreter is {interpreter}", False
        if self.definition.library.error is not None:
            return f"{self.definition.library.name} does not import in {sys.executable}", False
        if self._task.async_val:
            return "the task is async", True
        if any(self._templar.template(part) for part in self._task.environment or ()):
            return "the task has an environment", True
        if C.DEFAULT_KEEP_REMOTE_FILES:
            return "keep_remote_files is set", True
        if sys.platform == "darwin":
            # libpq's Kerberos and Apple's frameworks kill a process that forked without exec.
            return "macOS", True
        return "", False

    def _with_both_pythons(self, result: dict[str, Any]) -> dict[str, Any]:
        """Where two Pythons of the controller lack the library, name the one that is meant to have it, too."""
        library = self.definition.library
        lacks_it = result.get("error", {}).get("kind") == MissingLibrary.kind
        if lacks_it and library.error is not None and self._connection.transport == "local":
            result["msg"] += f" Or in the Python that runs Ansible: {library.how_to_install()}."
        return result

    def _note_shipped(self) -> None:
        """Note for the run's later tasks that one wrote, or may write, what they did not see."""
        mark = self.definition.library.shipped(C.DEFAULT_LOCAL_TMP)
        mark.touch()
        if self._task.async_val:  # a job that goes on, for so long at most
            ends = time.time() + self._task.async_val
            running = mark.with_name(mark.name + JOBS)
            running.touch()
            os.utime(running, (ends, max(ends, running.stat().st_mtime)))

    def _heed_jobs(self) -> None:
        """While an async job of the run may still write, nothing that was read before is believed."""
        mark = self.definition.library.shipped(C.DEFAULT_LOCAL_TMP)
        with suppress(OSError):  # there was no job
            if mark.with_name(mark.name + JOBS).stat().st_mtime > time.time():
                mark.touch()

    def _host_vars(self, task_vars: Mapping[str, Any]) -> Mapping[str, Any]:
        """The variables of the host that the task is delegated to, or else of its own."""
        if not self._task.delegate_to:
            return task_vars
        return task_vars.get("ansible_delegated_vars", {}).get(self._task.delegate_to, {})

    def _interpreter(self, task_vars: Mapping[str, Any]) -> str:
        """The Python that the inventory or the configuration pins, or "" where it is discovered."""
        configured = C.config.get_config_value("INTERPRETER_PYTHON", variables=self._host_vars(task_vars))
        interpreter = str(self._templar.template(configured) or "").strip()
        return "" if interpreter in DISCOVERED else interpreter

    def _with_interpreter(self, task_vars: dict[str, Any], path: str) -> dict[str, Any]:
        task_vars["ansible_python_interpreter"] = path
        if self._task.delegate_to:
            delegated = dict(task_vars.get("ansible_delegated_vars", {}))
            delegated[self._task.delegate_to] = {
                **delegated.get(self._task.delegate_to, {}),
                "ansible_python_interpreter": path,
            }
            task_vars["ansible_delegated_vars"] = delegated
        return task_vars

    def _perform(self, progress: Callable[[str], None]) -> dict[str, Any]:
        definition = self.definition
        # Through JSON, as on the way to a shipped module: no lazy, tagged or vaulted type gets further.
        args = json.loads(json.dumps(dict(self._task.args), default=str))
        checked = ArgumentSpecValidator(
            {name: dict(option) for name, option in definition.options.items()}, **definition.rules
        ).validate(args)
        params = checked.validated_parameters
        hidden = set(checked._no_log_values)
        if checked.error_messages:
            result: dict[str, Any] = {"failed": True, "msg": self._complaint(checked.errors)}
        else:
            self._resolve_paths(params)
            try:
                result, made = definition.perform(
                    params, bool(self._task.check_mode), progress, C.DEFAULT_LOCAL_TMP, _look_for_ansible
                )
            except SystemExit as ended:  # in a worker it would end the run of every host
                result, made = {"failed": True, "msg": f"A library ended the task: exit {ended.code}"}, set()
            hidden |= made
        # A misspelled option may hold a secret that nothing marks as one.
        known = {name: value for name, value in params.items() if name not in checked.unsupported_parameters}
        result = {"changed": False, **result, "invocation": {"module_args": known}}
        result.update(_remarks(result, checked))
        # As AnsibleModule has it: a password that is a part of "True" must not turn flags into text.
        flags = {name: value for name, value in result.items() if value is None or isinstance(value, bool)}
        return {**remove_values(result, hidden), **flags}

    def _complaint(self, errors: AnsibleValidationErrorMultiple) -> str:
        """What AnsibleModule says of options that do not fit."""
        if isinstance(errors[0], UnsupportedError):
            return f"Unsupported parameters for ({self._task.action}) module: {errors.msg}"
        return errors.msg

    def _resolve_paths(self, params: dict[str, Any]) -> None:
        """Relative to the playbook's folder, which is where a shipped module of a local connection runs."""
        for name, path in params.items():
            if self._is_relative(name, path):
                params[name] = os.path.join(self._loader.get_basedir(), path)


def _as_it_is(value: Any) -> Any:
    return value


def _refusal(problem: str) -> dict[str, Any] | None:
    """The result where there is a problem with the options."""
    return {"failed": True, "msg": problem, "error": {"kind": "invalid_input"}} if problem else None


def _remarks(result: Mapping[str, Any], checked: ValidationResult) -> dict[str, Any]:
    """What AnsibleModule warns of while it reads options, with the warnings of the ``result``."""
    both = [f"Both option {one['option']} and its alias {one['alias']} are set." for one in checked._warnings]
    remarks = {"warnings": [*both, *result.get("warnings", ())], "deprecations": checked._deprecations}
    return {name: remark for name, remark in remarks.items() if remark}


def _repeats_arguments(task_vars: Mapping[str, Any]) -> bool:
    """Whether a result has the task's arguments as ``invocation``: from ansible-core 2.21 on only where that is
    configured."""
    setting = "INJECT_INVOCATION"
    if C.config.get_configuration_definition(setting) is None:
        return True
    return bool(C.config.get_config_value(setting, variables=task_vars))


def _look_for_ansible() -> None:
    """Raise where ansible-playbook is gone."""
    if _is_orphan():
        raise Abandoned("Looking for ansible-playbook before a write", "it is gone", "Run it again.")


def _end_with_ansible() -> None:
    """End this worker once ansible-playbook is gone. With it goes the pipe of a module that was shipped to this
    machine, which looks for that."""
    while not _is_orphan():
        time.sleep(1)
    os._exit(1)


def _is_orphan() -> bool:
    """Whether ansible-playbook, which forked this worker, is gone: it has a session of its own, and outlives it."""
    parent = multiprocessing.parent_process()  # as it was at the fork
    return parent is not None and os.getppid() != parent.pid


def _same_python(path: str) -> bool:
    """Whether ``path`` is the Python that runs Ansible.

    Two virtual environments may link to one binary, so the folder counts beside the file.
    """
    if os.path.dirname(os.path.abspath(path)) != os.path.dirname(os.path.abspath(sys.executable)):
        return False
    try:
        return os.path.samefile(path, sys.executable)
    except OSError as error:
        raise AnsibleError(f"The interpreter {path} of this host cannot be used: {error}") from error
