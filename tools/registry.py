"""The registry: versions of packs, thresholds and prompt rules that never change, and which of them serve.

`production` serves everybody, `staging` is on trial, `previous` is where a rollback goes. A kind of which nothing was
ever promoted has the shipped version: what is in the models folder of the repository.
"""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from tools.errors import Conflict, InvalidRequest, NotFound
from tools.ledger import Action, Alias, Aliases, Ledger, Version, now
from tools.shelf import Shelf
from tools.versions import KINDS, Kind, Versions, check_part, misfit, versions_in

ALIASES: tuple[Alias, ...] = get_args(Alias)
SHIPPED = "shipped"  # what an alias names where that is no registered version


class Registry:
    """Versions and aliases in `folder`, beside the shipped release. Every call is blocking."""

    def __init__(self, folder: Path, shipped: Path) -> None:
        self.shipped = shipped
        self._ledger = Ledger(folder)
        self._shelf = Shelf(folder)

    def register(self, kind: Kind, source: Path, note: str = "") -> Version:
        """Copy the part of `kind` out of a folder of models; the same content again is the same version.

        Raises what `check_part` raises, and `DiskFailed`. A kill leaves nothing half.
        """
        check_part(kind, source)
        with self._ledger.alone():
            name = self._shelf.keep(kind, source)
            if not any(version.name == name for version in self.versions()):
                card = self._shelf.card(kind, name)
                version = Version(name, kind, now(), note, str(source.resolve()), card)
                self._ledger.append(Action("register", kind, name, reason=note), version=version)
        return self.get(name)

    def versions(self) -> list[Version]:
        """Every registered version, newest first."""
        return self._ledger.versions()

    def log(self) -> list[Action]:
        """All that was done, oldest first."""
        return self._ledger.log()

    def last(self) -> int:
        """A number that grows with all that is done; cheap to ask for."""
        return self._ledger.last()

    def aliases(self) -> Aliases:
        """What each alias of each kind names, where it names something; `SHIPPED` is possible."""
        return self._ledger.aliases()

    def get(self, name: str) -> Version:
        """The version called `name`; without the label, or cut short in the id, it must be the only one.

        Raises `NotFound` (`unknown_version`), which names the nearest.
        """
        known = {version.name: version for version in self.versions()}
        label, _, start = name.rpartition("@")
        found = [
            version
            for full, version in known.items()
            if start and f"@{start}" in full and full.startswith(f"{label}@" if label else "")
        ]
        if len(found) == 1:
            return found[0]
        near = [v.name for v in found] or difflib.get_close_matches(name, known, cutoff=0.3)
        near = near or list(known)[:3]
        what = "is more than one version" if found else "is no version here"
        advice = f"choose one of {', '.join(near)}" if near else "register one first"
        raise NotFound(f"{name[:80]!r} {what}: {advice}.", code="unknown_version")

    def production(self) -> Versions:
        """The release that serves: of each kind the version in production, else the shipped one."""
        return self._release(self.aliases(), "production")

    def release(self, name: str) -> Versions:
        """The release that an alias means, or production with the version called `name` in its place.

        `staging` and `previous` are production where they name nothing; "shipped" is the shipped one.
        Raises `NotFound` (`unknown_version`).
        """
        if name == SHIPPED:
            return versions_in(self.shipped)
        if name in ALIASES:
            return self._release(self.aliases(), name)
        version = self.get(name)
        return {**self.production(), version.kind: version.name}

    def folder_of(self, versions: Versions) -> Path:
        """A folder of models that is this release: the shipped one itself, or links beside the registry.

        Raises `NotFound` (`unknown_version`) for a version that is neither registered nor shipped any more,
        `WeightsMissing` for a damaged one.
        """
        sources = self._sources(versions)
        if set(sources.values()) == {self.shipped}:
            return self.shipped
        return self._shelf.assemble(versions, sources, self.shipped)

    def part(self, version: Version) -> Path:
        """The folder of a version's files. Raises `WeightsMissing` when they have changed."""
        return self._shelf.verified(version.kind, version.name)

    def promote(
        self,
        versions: Sequence[Version],
        alias: Literal["production", "staging"],
        *,
        instead_of: Versions | None = None,
        reason: str = "",
        forced: bool = False,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Let an alias name these versions, of a kind each, all together or not at all.

        With `instead_of`, only while production is that release still. Raises `Conflict`: `production_moved`,
        `already_promoted`, and `misfit` for a pack with thresholds of another encoder; `WeightsMissing` for damage.
        """
        wanted = {version.kind: version.name for version in versions}
        if len(wanted) < len(versions):
            raise InvalidRequest("Two versions of one kind: promote one of them.")
        with self._ledger.alone():
            aliases = self.aliases()
            present = self._release(aliases, "production")
            if instead_of is not None and instead_of != present:
                raise Conflict(
                    "Production has changed since this was judged: look at it, and promote again.",
                    code="production_moved",
                )
            for kind, name in wanted.items():
                self._shelf.verified(kind, name)
                if aliases[kind].get(alias) == name:
                    raise Conflict(f"{name} is {alias} already.", code="already_promoted")
            if alias == "production":
                self._move("promote", aliases, wanted, reason, forced, detail)
                return
            self._ledger.append(
                *(
                    Action(
                        "promote",
                        kind,
                        name,
                        alias,
                        aliases[kind].get(alias),
                        reason,
                        forced,
                        detail or {},
                    )
                    for kind, name in wanted.items()
                )
            )

    def refuse(
        self, versions: Sequence[Version], reason: str, detail: Mapping[str, Any] | None = None
    ) -> None:
        """Write down that the gate kept these versions out."""
        with self._ledger.alone():
            self._ledger.append(
                *(
                    Action("refuse", v.kind, v.name, reason=reason, detail=detail or {})
                    for v in versions
                )
            )

    def rollback(self, kinds: Sequence[Kind], reason: str = "") -> dict[Kind, str]:
        """Swap production and previous of these kinds, together; return what production names now.

        Raises `Conflict` where there is no previous (`no_previous`), or it does not fit the rest (`misfit`).
        """
        with self._ledger.alone():
            aliases = self.aliases()
            for kind in kinds:
                if "previous" not in aliases[kind]:
                    raise Conflict(
                        f"No {kind} was ever promoted to production: there is nothing to go back to.",
                        code="no_previous",
                    )
            found = {kind: aliases[kind]["previous"] for kind in kinds}
            self._move("rollback", aliases, found, reason)
        return found

    def unalias(self, kind: Kind, reason: str = "") -> None:
        """Take what is there of `kind` off staging. Raises `NotFound` (`unknown_version`) where nothing is."""
        with self._ledger.alone():
            before = self.aliases()[kind].get("staging")
            if before is None:
                raise NotFound(f"No {kind} is in staging.", code="unknown_version")
            self._ledger.append(Action("unalias", kind, None, "staging", before, reason))

    def _move(
        self,
        deed: Literal["promote", "rollback"],
        aliases: Aliases,
        wanted: Mapping[Kind, str],
        reason: str,
        forced: bool = False,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Let production name `wanted`, and previous what it named. Raises `Conflict` (`misfit`)."""
        after = {kind: {**named} for kind, named in aliases.items()}
        actions = []
        for kind, name in wanted.items():
            before = aliases[kind].get("production", SHIPPED)
            after[kind]["production"] = name
            left = aliases[kind].get("previous")
            actions += [
                Action(deed, kind, before, "previous", left, reason),
                Action(deed, kind, name, "production", before, reason, forced, detail or {}),
            ]
        release = self._release(after, "production")
        sources = self._sources(release)
        if fault := misfit(sources["pack"], sources["thresholds"]):
            raise Conflict(
                f"{release['pack']} and {release['thresholds']} do not fit: {fault}. Promote, or roll back,"
                " the two that belong together at once.",
                code="misfit",
            )
        self._ledger.append(*actions)

    def _release(self, aliases: Aliases, alias: Alias) -> dict[str, str]:
        shipped = versions_in(self.shipped)
        named = {kind: aliases[kind].get("production", SHIPPED) for kind in KINDS}
        named |= {kind: aliases[kind][alias] for kind in KINDS if alias in aliases[kind]}
        return {kind: shipped[kind] if name == SHIPPED else name for kind, name in named.items()}

    def _sources(self, versions: Versions) -> dict[Kind, Path]:
        """The folder of models that holds each part of a release."""
        shipped, known = versions_in(self.shipped), {v.name for v in self.versions()}
        found = {}
        for kind in KINDS:
            name = versions[kind]
            if name in known and (self._shelf.holds(kind, name) or name != shipped[kind]):
                found[kind] = self._shelf.verified(kind, name)
            elif name == shipped[kind]:
                found[kind] = self.shipped
            else:
                raise NotFound(
                    f"{name[:80]!r} is neither registered nor shipped any more.",
                    code="unknown_version",
                )
        return found
