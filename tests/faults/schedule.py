"""Which fault strikes when: drawn from a seed, before the run begins.

Two lanes, one for the nodes and one for the store, strike independently, so that a node dies while
the database fails over. Within a lane each fault is over before the next one begins.
"""

import random
from dataclasses import dataclass, field

from proxy import Stage

CALM = 5  # the seconds at the end of a run in which nothing new begins


@dataclass
class Strike:
    at: float        # seconds after the run's beginning
    lasts: float
    lane: str
    name: str
    arguments: dict = field(default_factory=dict)

    def __str__(self):
        told = " ".join(f"{name}={value}" for name, value in self.arguments.items())
        return f"{self.at:6.1f} s {self.lane:5} {self.name} for {self.lasts:.1f} s {told}".rstrip()


# name → (shortest, longest) in seconds, what it needs
NODE_FAULTS = {
    "kill-node": ((0.0, 2.0), ()),
    "kill-signer": ((0.0, 0.0), ()),
    "kill-everything": ((0.0, 2.0), ()),
    "terminate-node": ((0.0, 1.0), ()),
    "pause-node": ((1.0, 4.0), ()),
    "pause-node-past-lease": ((12.0, 14.0), ("cluster",)),
    "clock-ahead": ((1.0, 5.0), ("clock",)),
    "clock-back": ((1.0, 5.0), ("clock",)),
    "disk-full": ((1.0, 4.0), ("disk",)),
}
STORE_FAULTS = {
    "kill-postgres": ((0.0, 2.0), ()),
    "stop-postgres": ((1.0, 5.0), ()),
    "restart-postgres": ((0.0, 0.0), ()),
    "kill-backend": ((0.0, 0.0), ()),
    "fail-over": ((0.0, 0.0), ()),
    "standby-away": ((1.0, 4.0), ()),
    "cut": ((0.0, 0.0), ()),
    "cut-at-octet": ((0.5, 2.0), ()),
    "cut-commit": ((0.5, 3.0), ()),
    "delay": ((1.0, 4.0), ()),
    "silence": ((1.0, 4.0), ()),
    "silence-past-lease": ((12.0, 14.0), ("cluster",)),
    "refuse": ((1.0, 4.0), ()),
    "database-full": ((1.0, 4.0), ("disk",)),
}


def deal(faults, able, chance):
    """Endlessly, each possible fault once before any comes again."""
    names = sorted(name for name, (_, needs) in faults.items() if set(needs) <= able)
    while names:
        hand = list(names)
        chance.shuffle(hand)
        yield from hand


def arguments_of(name, chance, nodes):
    drawn = {"node": chance.randrange(nodes)}
    if name == "clock-ahead":
        drawn["seconds"] = chance.choice((90, 1800, 7200))
    elif name == "clock-back":
        drawn["seconds"] = -chance.choice((30, 300, 3600))
    elif name == "cut-at-octet":
        drawn["octets"] = chance.randrange(1, 20000)
    elif name == "cut-commit":
        drawn["stage"] = chance.choice(sorted(stage.value for stage in Stage))
    elif name == "delay":
        drawn["seconds"] = chance.choice((0.01, 0.05, 0.3))
    return drawn


def lane(name, faults, able, seed, seconds, nodes, only):
    chance = random.Random(f"{seed}/{name}")
    if only:
        faults = {fault: rule for fault, rule in faults.items() if fault in only}
    if not faults:
        return []
    at, strikes, hands = chance.uniform(0.5, 2), [], deal(faults, able, chance)
    while at < seconds - CALM:
        fault = next(hands, None)
        if fault is None:
            break
        shortest, longest = faults[fault][0]
        lasts = chance.uniform(shortest, longest)
        strikes.append(Strike(round(at, 3), round(lasts, 3), name, fault,
                              arguments_of(fault, chance, nodes)))
        at += lasts + chance.uniform(0.3, 2.5)
    return strikes


def plan(seed, seconds, nodes, kind, able=frozenset(), only=()):
    """`able`: what is possible here, of "clock" and "disk". The same arguments, the same plan."""
    able = set(able) | ({"cluster"} if nodes > 1 else set())
    strikes = lane("node", NODE_FAULTS, able, seed, seconds, nodes, only)
    if kind == "postgres":
        strikes += lane("store", STORE_FAULTS, able, seed, seconds, nodes, only)
    return sorted(strikes, key=lambda strike: strike.at)
