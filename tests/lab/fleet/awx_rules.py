# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWX accepts, in our words: which files of a project are playbooks, and which surveys.

Read in AWX 24.6.1: awx/main/utils/ansible.py (could_be_playbook, skip_directory), awx/api/views/__init__.py (JobTemplateSurveySpec).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# The first is that of AWX up to 21, the second came later: only the second knows the long name.
PLAYBOOK_LINE = {
    "old": re.compile(r"^\s*?-?\s*?(?:hosts|include|import_playbook):"),
    "new": re.compile(r"^\s*?-?\s*?(?:hosts|(?:ansible\.builtin\.)?import_playbook):"),
}
NO_PLAYBOOKS_IN = {"roles", "tasks", "group_vars", "host_vars"}

TYPES: dict[str, Any] = {
    "text": str, "textarea": str, "password": str, "multiplechoice": str, "multiselect": str, "integer": int, "float": (int, float),
}  # fmt: skip


def playbooks(project: Path, release: str) -> list[str]:
    """The playbooks that AWX offers of a project, as paths relative to it."""
    found = []
    for folder, folders, files in os.walk(project):
        folders[:] = [name for name in folders if name not in NO_PLAYBOOKS_IN and not name.startswith(".")]
        for path in (Path(folder) / name for name in files if name.endswith((".yml", ".yaml"))):
            if any(map(PLAYBOOK_LINE[release].match, path.read_text(encoding="utf-8").splitlines())):
                found.append(str(path.relative_to(project)))
    return sorted(found)


def choices(question: Mapping[str, Any]) -> list[str]:
    given = question.get("choices", "")
    return given.splitlines() if isinstance(given, str) else list(given)


def _question_error(question: Mapping[str, Any]) -> str:
    for key, kind in (("type", str), ("question_name", str), ("variable", str), ("required", bool)):
        if not isinstance(question.get(key), kind):
            return f"{key} must be given as {kind.__name__}"
    if question["type"] not in TYPES:
        return f"there is no type {question['type']}"
    for key in ("min", "max"):
        # true is an int of Python's.
        if key in question and (isinstance(question[key], bool) or not isinstance(question[key], int)):
            return f"{key} must be a whole number"
    if question["type"].startswith("multi") and not choices(question):
        return "choices must be given"
    return _default_error(question, question.get("default", ""))


def _default_error(question: Mapping[str, Any], default: Any) -> str:
    if default == "":
        return ""
    if default == "$encrypted$" or not isinstance(default, TYPES[question["type"]]) or isinstance(default, bool):
        return f"the default {default!r} is no {question['type']}"
    if question["type"].startswith("multi") and set(default.splitlines()) - set(choices(question)):
        return f"the default {default!r} is not among the choices"
    return ""


def survey_error(survey: Any) -> str:
    """Why the server refuses a survey, or ""."""
    for key, kind in (("name", str), ("description", str), ("spec", list)):
        if not isinstance(survey, Mapping) or not isinstance(survey.get(key), kind):
            return f"the survey's {key} must be given as {kind.__name__}"
    if not survey["spec"]:
        return "the survey has no question"
    variables = [question.get("variable") for question in survey["spec"]]
    if len(set(variables)) < len(variables):
        return f"a variable is asked for twice: {', '.join(map(str, variables))}"
    errors = (f"question {number}: {error}" for number, question in enumerate(survey["spec"]) if (error := _question_error(question)))
    return next(errors, "")
