"""What a credential rests on, and who shares it."""

from __future__ import annotations

import pytest
from policy_world import catalogue, facts, failing, identity, outcome, request, resource, rules_of

from daypass.model.decision import Effect
from daypass.policy.asked import Held, Renewed
from daypass.policy.decide import decide

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2flCmJmhzzxmTHiLn2mHmTLQOq+sTj8SpJsSvRA2mL"
OF_NHI = {"owners": ["alice", "bob"], "environment": "production"}
SHARED = resource(type="shared-account")


def machine(type_: str = "ci", **spec):
    return identity("deployer", type=type_, **OF_NHI, **spec)


def asked_for(subject, **options):
    world = catalogue(identities=(subject, *options.pop("others", ())))
    asked = request(subject="deployer", workload={"runs": "x", "from": "y"})
    return outcome(world, "carol", asked=asked, **options)


@pytest.mark.parametrize("type_", ["service", "ci", "workload"])
def test_authenticates_itself_or_gets_nothing(type_):
    assert asked_for(machine(type_)).permitted
    assert failing(asked_for(machine(type_, authn=None))) == {"built-in/authenticates-itself"}


def test_an_agent_is_held_to_the_rules_of_agents():
    agent = {"sponsor": "alice", "tools": ["psql"], "autonomy": "propose"}
    assert asked_for(machine("agent", agent=agent)).permitted


@pytest.mark.parametrize("comment", ["", " alice@laptop"])
def test_own_keys_are_no_persons_keys(comment):
    alice = identity("alice", recipients=[f"{KEY} somebody"])
    decision = asked_for(machine(recipients=["age1own", KEY + comment]), others=(alice,))
    assert failing(decision) == {"built-in/own-keys"}
    assert "alice" in str(decision.reasons)
    assert asked_for(machine(recipients=["age1own"]), others=(alice,)).permitted


RSA = "ssh-rsa AAAA" + "B" * 298 + "%s="
AGE = "age1" + "q" * 58


@pytest.mark.parametrize(
    ("hers", "its"),
    [
        (f"{AGE} alice", f"{AGE} deployer"),
        (AGE, f"{AGE} deployer"),
        (RSA % "Q", RSA % "R"),  # the same bytes: what is left over of the last letter is not read
    ],
)
def test_a_key_is_one_key_however_it_is_written(hers, its):
    alice = identity("alice", recipients=[hers])
    decision = asked_for(machine(recipients=[its]), others=(alice,))
    assert failing(decision) == {"built-in/own-keys"}


def test_people_may_share_a_laptop():
    both = [identity(name, recipients=[KEY]) for name in ("alice", "bob")]
    assert outcome(catalogue(identities=tuple(both)), "carol").permitted


def held(*grants: tuple[str, str, str]) -> tuple[Held, ...]:
    return tuple(Held(*grant) for grant in grants)


def test_one_holder_of_a_shared_account_at_a_time():
    world = catalogue(resources=(SHARED,))
    taken = held(("carol-1", "carol", "orders-db"))
    assert failing(outcome(world, "bob", held=taken)) == {"built-in/one-holder"}
    own = held(("alice-0", "alice", "orders-db"))
    assert failing(outcome(world, "bob", held=own)) == {"built-in/one-holder"}
    mine = Renewed("alice", "orders-db", "read")
    again = request(renews="alice-0")
    assert outcome(world, "bob", held=own, asked=again, renewed=mine).permitted
    # Naming somebody else's grant takes nobody's place.
    theirs = {"asked": request(renews="carol-1"), "renewed": Renewed("carol", "orders-db", "read")}
    assert failing(outcome(world, "bob", held=taken, **theirs)) == {
        "built-in/one-holder",
        "built-in/renewal",
    }
    elsewhere = held(("carol-1", "carol", "payments-db"), ("alice-orders-1", "alice", "orders-db"))
    assert outcome(world, "bob", held=elsewhere).permitted


def test_what_is_no_shared_account_is_held_by_many():
    taken = held(("carol-1", "carol", "orders-db"))
    assert outcome(catalogue(), "bob", held=taken).permitted
    assert facts(catalogue(), "bob", held=taken).history.holders == ()


def test_not_knowing_who_holds_a_shared_account_permits_nothing():
    world = catalogue(resources=(SHARED,))
    assert outcome(world, "bob", held=None).effect is Effect.INDETERMINATE


def test_a_holder_is_read_back_from_the_record():
    world = catalogue(resources=(SHARED,))
    given = facts(world, "bob", held=held(("carol-1", "carol", "orders-db")))
    again = type(given).from_json(given.to_json())
    assert decide(again, rules_of(world)) == decide(given, rules_of(world))
