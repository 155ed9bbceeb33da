"""Which rules were approved at each point of a history, and which were young: an audit marks what was promoted under them."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from mlgit.domain.audit.records import AuditedRules
from mlgit.domain.formatting import first_names, utc_time
from mlgit.domain.names import Duration, seconds
from mlgit.domain.rule_files import affects
from mlgit.errors import Finding, Location, Severity


class RuleHistory:
    """The changes of rules so far, oldest first.

    A rule is unapproved from a change that lacks approvals until it has its approved content again, or another change of it has
    its approvals.
    """

    def __init__(self, changes: Iterable[AuditedRules] = ()) -> None:
        self._last: dict[str, AuditedRules] = {}
        """The last change of each rule, by its path."""
        self._unapproved: dict[str, AuditedRules] = {}
        """The change since which a rule is unapproved, by its path."""
        for change in changes:
            self.add(change)

    def add(self, change: AuditedRules) -> None:
        """Add the next change."""
        is_approved = change.verdict in {"PROVEN", "UNAPPROVED"}
        for path, file in change.files.items():
            self._last[path] = change
            since = self._unapproved.get(path)
            if is_approved or (since is not None and file.after == since.files[path].before):
                self._unapproved.pop(path, None)
            elif since is None:
                self._unapproved[path] = change

    def findings(self, environment: str, policy: str, at: datetime, min_age: Duration) -> Iterator[Finding]:
        """Yield the findings of a promotion under the rules as they are now.

        Args:
            environment: its environment.
            policy: the policy of the environment.
            at: when it was merged.
            min_age: the age below which a rule is young.
        """
        for path, change in self._unapproved.items():
            if affects(path, environment, policy):
                yield Finding(
                    "rules-unapproved",
                    f"it was judged by {path}, which lacks approvals",
                    why=f"commit {change.commit[:12]} of {utc_time(change.at)} changed it without them",
                    fix=f"read that change; somebody who may approve it runs `mlgit approve {change.commit[:12]}`",
                    at=Location(path),
                )
        young = {
            path: change
            for path, change in self._last.items()
            if path not in self._unapproved
            and affects(path, environment, policy)
            and at - change.at < timedelta(seconds=seconds(min_age))
        }
        if young:
            commits = dict.fromkeys(change.commit[:12] for change in young.values())
            yield Finding(
                "rules-recent",
                f"it was judged by rules that are younger than {min_age}: {first_names(list(young))}",
                why=f"they were changed by {first_names(list(commits))}; approvals.rules.min_age of mlgit.yaml states the age",
                fix="read these changes together with this one",
                at=Location(next(iter(young))),
                severity=Severity.WARNING,
            )
