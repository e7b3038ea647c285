# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an answer of OpenStack means, and what to do about it. Pure.

Status codes as the Compute and Bare Metal API references list them; where one code has several causes, the words that
Nova and Ironic put into the answer tell them apart.
"""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError

#: Kinds of a refusal, as modules return them in RV(ignore:reason).
KINDS = (
    "conflict", "forbidden", "quota", "unauthorized", "not_found", "bad_request", "cloud_error", "no_answer",
    "configuration", "deadline", "node_error", "refused",
)  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """An answer that is none of success: the HTTP status (0 for none at all) and what came with it."""

    status: int
    text: str


class CloudError(RailheadError):
    """The cloud refused, or did not answer. C(kind) is one of KINDS.

    C(unknown) tells that the request may have been carried out all the same.
    """

    def __init__(self, message: str, kind: str, unknown: bool = False) -> None:
        super().__init__(message)
        self.kind = kind
        self.unknown = unknown


_SIGN_IN = "The token or the credentials are not valid any more. Sign in again, or renew them."
#: (status, words in the answer, kind, what to do). The first that fits counts.
_MEANINGS: tuple[tuple[int, str, str, str], ...] = (
    (
        409,
        "lock",
        "conflict",
        "Somebody or something has locked it. Ask who (openstack server show, openstack baremetal node show), and have "
        "it unlocked.",
    ),
    (
        409,
        "task_state",
        "conflict",
        "Another operation on it is going on. Wait for its end, and run again.",
    ),
    (
        409,
        "vm_state",
        "conflict",
        "It is in a state that forbids this. Bring it back to ACTIVE, SHUTOFF or ERROR first.",
    ),
    (
        409,
        "",
        "conflict",
        "Another operation on it is going on, or its state forbids this. Run again later.",
    ),
    (403, "quota", "quota", "Have the project's quota raised, or free some of it."),
    (413, "", "quota", "Have the project's quota raised, or free some of it."),
    (
        403,
        "",
        "forbidden",
        "The account may not do this. Use one whose role may, or have the cloud's policy changed.",
    ),
    (401, "", "unauthorized", _SIGN_IN),
    (404, "token", "unauthorized", _SIGN_IN),  # Keystone's words for a token it cannot read, or does not know any more
    (404, "", "not_found", "Compare the name with what the cloud lists for this project and region."),
    (400, "", "bad_request", "What was asked for cannot be. Read what the cloud says, and change it."),
)


def explain(attempt: str, answer: Answer) -> CloudError:
    """Return the error for an answer. C(attempt) completes the sentence "Cannot ..."."""
    said = " ".join(answer.text.split()) or "nothing else"
    if answer.status == 0:
        return CloudError(
            f"Cannot {attempt}, the cloud did not answer: {said}. Whether it was carried out is not known. Look "
            "whether its address in clouds.yaml is right and its API runs.",
            "no_answer",
            unknown=True,
        )
    if answer.status >= 500:
        return CloudError(
            f"Cannot {attempt}, the cloud answered {answer.status}: {said}. That is an error of the cloud's own; "
            "whether it was carried out is not known. Run again; if it stays, the logs of its API say why.",
            "cloud_error",
            unknown=True,
        )
    for status, words, kind, advice in _MEANINGS:
        if status == answer.status and words in answer.text.lower():
            return CloudError(f"Cannot {attempt}, the cloud answered {answer.status}: {said}. {advice}", kind)
    return CloudError(f"Cannot {attempt}, the cloud answered {answer.status}: {said}.", "bad_request")
