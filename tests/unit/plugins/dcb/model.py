# SPDX-License-Identifier: GPL-3.0-or-later
"""A model of a port: what a command does to it, with the rules of iproute2 and of the mlx5 driver (en_dcbnl.c)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import Command, Step
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.request import Buffers
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.state import Ets, PortState

KEYWORDS = {"prio-tc", "tc-tsa", "tc-bw", "dscp-prio", "prio-pfc", "prio-buffer", "buffer-size", "order"}


def applied(state: PortState, steps: Iterable[Step]) -> PortState:
    """The port after the steps; an assertion fails where the tool or the driver would refuse one."""
    for step in steps:
        assert isinstance(step, Command)
        state = {"dcb": _dcb, "mlnx_qos": _mlnx_qos, "ethtool": _ethtool}[step.argv[0]](state, step.argv)
        assert not (state.pfc and state.pause and any(state.pause)), "PFC and global pause at a time"
    return state


def _ethtool(state: PortState, argv: tuple[str, ...]) -> PortState:
    flag, netdev, rx, received, tx, sent = argv[1:]
    assert (flag, netdev, rx, tx) == ("-A", state.netdev, "rx", "tx")
    assert state.pause is not None, "EOPNOTSUPP"
    assert state.pause != (received == "on", sent == "on"), "ethtool fails when nothing changes"
    return replace(state, pause=(received == "on", sent == "on"))


def _dcb(state: PortState, argv: tuple[str, ...]) -> PortState:  # noqa: PLR0911
    what, verb, dev, netdev, *words = argv[1:]
    assert (dev, netdev) == ("dev", state.netdev)
    maps = _maps(words)
    match what, verb:
        case "pfc", "set":
            pfc = set(state.pfc or ())
            for priority, on in _numbers(maps["prio-pfc"], 8):
                pfc = pfc | {priority} if on == "on" else pfc - {priority}
            assert len(pfc) <= state.pfc_most
            return replace(state, pfc=frozenset(pfc))
        case "ets", "set":
            return replace(state, ets=_set_ets(state, maps))
        case "app", "replace":
            mapped = {int(dscp): (int(priority),) for dscp, priority in _pairs(maps["dscp-prio"])}
            return replace(state, dscp_prio={**state.dscp_prio, **mapped})
        case "app", "flush":
            assert words == ["dscp-prio"]
            return replace(state, dscp_prio={})
        case "apptrust", "set":
            assert state.order is not None, "EOPNOTSUPP"
            return replace(state, order=tuple(maps["order"]))
        case "dcbx", "set":
            assert set(words) <= {"host", "cee", "ieee"}
            return replace(state, dcbx=tuple(words))
        case "buffer", "set":
            before = state.buffers
            assert before is not None, "EOPNOTSUPP"
            of_priority, sizes = list(before.prio_buffer), list(before.buffer_size)
            for priority, buffer in _numbers(maps["prio-buffer"], 8):
                of_priority[priority] = int(buffer)
            for buffer, size in _numbers(maps["buffer-size"], 8):
                sizes[buffer] = int(size)
            return _with_buffers(state, of_priority, sizes)
    raise AssertionError(f"unexpected command: {argv}")


def _set_ets(state: PortState, maps: dict[str, list[str]]) -> Ets:
    have = state.ets
    assert have is not None, "EOPNOTSUPP"
    prio_tc, tsa, bandwidth = list(have.prio_tc), dict(have.tsa), dict(have.bandwidth)
    for priority, tc in _numbers(maps["prio-tc"], 8):
        prio_tc[priority] = int(tc)
    for tc, word in _numbers(maps["tc-tsa"], 8):
        tsa[tc] = word
    for tc, share in _numbers(maps["tc-bw"], 8):
        bandwidth[tc] = int(share)
    has_ets = "ets" in tsa.values()
    assert sum(bandwidth.values()) == (100 if has_ets else 0), "dcb: percentages do not sum up"
    assert not has_ets or sum(bandwidth[tc] for tc, word in tsa.items() if word == "ets") == 100, "mlx5: EINVAL"
    return Ets(tuple(prio_tc), tsa, bandwidth, have.classes)


def _mlnx_qos(state: PortState, argv: tuple[str, ...]) -> PortState:
    flag, netdev, *words = argv[1:]
    assert (flag, netdev) == ("-i", state.netdev)
    options = dict(zip(words[::2], words[1::2], strict=True))
    lists = {name: value.split(",") for name, value in options.items()}
    match sorted(options):
        case ["--dcbx"]:
            return replace(state, dcbx=("host", "ieee"))
        case ["--pfc"]:
            assert len(lists["--pfc"]) == 8
            return replace(state, pfc=frozenset(number for number, on in enumerate(lists["--pfc"]) if on == "1"))
        case ["--trust"]:
            mapping = {dscp: (dscp >> 3,) for dscp in range(64)} if options["--trust"] == "dscp" else {}
            return replace(state, told_trust=options["--trust"], dscp_prio=mapping)
        case ["--dscp2prio"]:
            action, dscp, priority = lists["--dscp2prio"]
            assert (action, state.told_trust) == ("set", "dscp")
            return replace(state, dscp_prio={**state.dscp_prio, int(dscp): (int(priority),)})
        case ["--prio_tc", "--tcbw", "--tsa"]:
            prio_tc = tuple(map(int, lists["--prio_tc"]))
            shares = list(map(int, lists["--tcbw"]))
            for tc, word in enumerate(lists["--tsa"]):
                assert word == "ets" or shares[tc] == 0, "ETS BW for a strict/vendor TC must be 0"
            assert sum(shares) in (0, 100)
            return replace(
                state,
                ets=Ets(
                    prio_tc, {tc: lists["--tsa"][tc] for tc in set(prio_tc)}, {tc: shares[tc] for tc in set(prio_tc)}
                ),
            )
        case ["--buffer_size", "--prio2buffer"]:
            return _with_buffers(
                state, [int(word) for word in lists["--prio2buffer"]], [int(word) for word in lists["--buffer_size"]]
            )
    raise AssertionError(f"unexpected command: {argv}")


def _with_buffers(state: PortState, of_priority: list[int], sizes: list[int]) -> PortState:
    assert state.total_buffer is None or sum(sizes) <= state.total_buffer, "EINVAL"
    assert all(sizes[buffer] for buffer in of_priority)
    return replace(state, buffers=Buffers(tuple(of_priority), tuple(sizes)))


def _maps(words: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for word in words:
        if word in KEYWORDS:
            found[word] = []
        elif found:
            found[list(found)[-1]].append(word)
    return found


def _pairs(words: list[str]) -> list[tuple[str, str]]:
    return [(key, value) for key, _colon, value in (word.partition(":") for word in words)]


def _numbers(words: list[str], count: int) -> list[tuple[int, str]]:
    """'all:x' is x for each."""
    return [
        (number, value) for key, value in _pairs(words) for number in (range(count) if key == "all" else [int(key)])
    ]
