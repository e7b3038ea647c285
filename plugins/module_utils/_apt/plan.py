# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps from what a host has of a set of pinned packages to what is wanted, and the way back when they fail."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from ansible_collections.railhead.cluster.plugins.module_utils._apt.observe import (
    PATIENCE,
    UPDATE,
    Have,
    Trial,
    described,
    differing,
    unwanted,
    wanted_files,
    words_to_install,
)
from ansible_collections.railhead.cluster.plugins.module_utils._apt.request import KEYRINGS, Want
from ansible_collections.railhead.cluster.plugins.module_utils._apt.simulation import Simulation
from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import (
    Command,
    InstallFile,
    MakeDirectory,
    Plan,
    Step,
)

#: A vendor's packages build kernel modules while they are installed.
_INSTALL_SECONDS = 7200.0
_APT_GET = (
    "env",
    "DEBIAN_FRONTEND=noninteractive",
    "apt-get",
    "--yes",
    "--no-install-recommends",
    "--option=DPkg::Lock::Timeout=600",
    # Files that an admin has changed stay (dpkg(1)).
    "--option=Dpkg::Options::=--force-confdef",
    "--option=Dpkg::Options::=--force-confold",
)


def plan_pinned(have: Have, want: Want) -> Plan:
    if have.trial is None:
        return Plan((), _shown(have, want, {}), _shown(have, want, {}))
    _refuse(have, want, have.trial.simulation)
    words = words_to_install(have, want)
    files = _file_steps(have, want, have.trial)
    steps = [*files, *_package_steps(want, have.trial.simulation, words, bool(files))]
    return Plan(tuple(steps), _shown(have, want, {}), _shown(have, want, have.trial.keys, have.trial.simulation))


def way_back(have: Have, done: Sequence[Step]) -> tuple[Step, ...]:
    """Steps that put the files back as they were, for a run that failed before all packages were fetched.

    Later, packages may be there already that need the files for what is still missing.
    """
    if any("--download-only" in step.shown for step in done):
        return ()
    back: list[Step] = []
    for step in reversed(done):
        path = step.path if isinstance(step, InstallFile) else step.shown[-1] if step.shown[0] == "rm" else None
        if path is None:
            continue
        before = have.files.get(path)
        back.append(_remove(path) if before is None else _install(path, before.encode() + b"\n", "put back"))
    return tuple(back)


def _refuse(have: Have, want: Want, simulation: Simulation) -> None:
    attempt = f"Cannot {described(words_to_install(have, want))} ({want.name}): "
    if simulation.removed and not want.allow_removal:
        conflicts = want.found_conflicts(have.present)
        why = f" ({', '.join(conflicts)} must not be installed beside it)" if conflicts else ""
        raise RailheadError(
            f"{attempt}that removes {_listed(simulation.removed)}{why}. Set allow_removal=true"
            f" ({_variables('removal')}) when nothing needs them. Nothing was changed on this host."
        )
    if simulation.downgraded and not want.allow_downgrade:
        changes = ", ".join(
            f"{name} from {simulation.changed[name][0]} to {simulation.changed[name][1]}"
            for name in simulation.downgraded
        )
        raise RailheadError(
            f"{attempt}that downgrades {changes}. Give the newer version, or set allow_downgrade=true"
            f" ({_variables('downgrade')}). Nothing was changed on this host."
        )


def _variables(what: str) -> str:
    return f"pinned_packages_allow_{what}, or <role>_allow_{what} of the role that asks for them"


def _listed(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}".rstrip() for name, version in sorted(versions.items()))


def _file_steps(have: Have, want: Want, trial: Trial) -> list[Step]:
    steps: list[Step] = []
    wanted = wanted_files(have, want, trial.keys)
    changed = differing(have, want, trial.keys)
    if not have.keyrings and any(path.startswith(f"{KEYRINGS}/") for path in changed):
        steps.append(MakeDirectory(KEYRINGS, f"make {KEYRINGS}"))
    for path in changed:
        content = wanted[path]
        if content is not None:
            steps.append(_install(path, content, "write"))
    return [*steps, *(_remove(path) for path in unwanted(have, want, trial.keys))]


def _package_steps(want: Want, simulation: Simulation, words: Sequence[str], files: bool) -> list[Step]:
    steps: list[Step] = []
    if want.repositories and (words or files):
        steps.append(_update(want))
    if not words:
        return steps
    # APT itself refuses what nobody has consented to, should the packages be others by then.
    consents = [
        *(["--purge"] if want.allow_removal else ["--no-remove"]),
        *(["--allow-downgrades"] if want.allow_downgrade else []),
    ]
    install = (*_APT_GET, *consents, "install", *words)
    fetch = (*_APT_GET, *PATIENCE, *consents, "--download-only", "install", *words)
    does = f"{described(words)} ({want.name})"
    old = "When a package is not there any more, the lists of the distribution are old: run 'apt-get update'."
    removes = f"removes {_listed(simulation.removed)}" if simulation.removed else ""
    half = "See /var/log/apt/term.log; 'dpkg --audit' tells what is left half configured."
    steps.append(Command(fetch, f"fetch what it takes to {does}", deadline=_INSTALL_SECONDS, advice=old))
    steps.append(Command(install, does, deadline=_INSTALL_SECONDS, disrupts=removes, advice=half))
    return steps


def _update(want: Want) -> Command:
    only = (f"--option=Dir::Etc::SourceList={want.sources_path}", "--option=Dir::Etc::SourceParts=-")
    argv = (*UPDATE, *PATIENCE, *only, "--option=APT::Get::List-Cleanup=false")
    return Command(argv, f"fetch the lists of {want.name}", deadline=900.0)


def _install(path: str, content: bytes, verb: str) -> InstallFile:
    return InstallFile(path, content, hashlib.sha256(content).hexdigest(), f"{verb} {path}", mode=0o644)


def _remove(path: str) -> Command:
    return Command(("rm", "-f", path), f"remove {path}")


def _shown(
    have: Have, want: Want, keys: Mapping[str, bytes], simulation: Simulation | None = None
) -> dict[str, object]:
    """What a person reads as one side of the diff: the side after the steps has a simulation."""
    names = [package.name for package in want.packages] + want.found_conflicts(have.present)
    if have.trial is not None:
        names += [*have.trial.simulation.removed, *have.trial.simulation.changed, *have.trial.simulation.installed]
    versions: dict[str, str | None] = {name: have.installed.get(name) for name in names}
    paths = (want.sources_path, want.preferences_path)
    files = {path: have.files.get(path) or "" for path in paths}
    if simulation is not None:
        versions.update(dict.fromkeys(simulation.removed))
        versions.update(simulation.installed)
        versions.update({name: new for name, (_old, new) in simulation.changed.items()})
        wanted = wanted_files(have, want, keys)
        files = {path: (wanted.get(path) or b"").decode().rstrip("\n") for path in paths}
    return {"packages": dict(sorted(versions.items())), "files": files}
