"""Secrets come, take turns and go, and a webhook that was signed stays signed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookbell import ed25519
from bookbell.core import keyset as rules
from bookbell.core import limits, signing
from bookbell.core.attempt import Answered, Outcome, Report, TimedOut, Timings
from bookbell.core.errors import BookbellError, ProofFailed, SecretNotFound, ValidationFailed
from bookbell.core.keyset import Keyset, Secret, Use
from bookbell.core.signing import Scheme

NOW = 1_750_000_000_000
PRIVATE, PUBLIC = ed25519.new_pair(b"TESTSIGNINGKEYDONOTUSETHISFORANY")


def text_secret(name: str, **changes: Any) -> Secret:
    return Secret(**{"id": name, "value": f"secret-number-{name}", "created_at": NOW, **changes})


def hmac_secret(name: str, **changes: Any) -> Secret:
    return text_secret(name, value=rules.hmac_value(name.encode().rjust(32, b"-")), **changes)


def pair(name: str = "pair", **changes: Any) -> Secret:
    return text_secret(name, value=PRIVATE, public_key=PUBLIC, **changes)


def ids(keyset: Keyset) -> list[str]:
    return [each.id for each in keyset.secrets]


def test_the_first_secret_signs_at_once_by_the_contracts_scheme_unless_it_is_a_pair() -> None:
    assert rules.added(None, text_secret("a"), at=NOW) == Keyset(Scheme.OCROLUS, (text_secret("a"),))
    assert rules.added(None, hmac_secret("a"), at=NOW).scheme is Scheme.OCROLUS
    assert rules.added(None, pair(), at=NOW).scheme is Scheme.STANDARD


def test_one_more_waits_behind_the_primary_and_signs_only_by_standard_webhooks() -> None:
    both = rules.added(Keyset(Scheme.OCROLUS, (hmac_secret("a"),)), hmac_secret("b"), at=NOW)
    assert [both.signs(each) for each in both.secrets] == [True, False]
    standard = rules.used(both, Use(scheme=Scheme.STANDARD), at=NOW)
    assert ids(standard) == ["a", "b"]
    assert [standard.signs(each) for each in standard.secrets] == [True, True]


def test_there_are_five_at_most_each_once_and_expired_ones_do_not_count() -> None:
    full = Keyset(Scheme.OCROLUS, tuple(text_secret(name) for name in "abcde"))
    with pytest.raises(ValidationFailed, match="at most 5"):
        rules.added(full, text_secret("f"), at=NOW)
    soon = rules.expiring(full, "b", 1, at=NOW)
    assert ids(rules.added(soon, text_secret("f"), at=NOW + 1)) == ["a", "c", "d", "e", "f"]
    with pytest.raises(ValidationFailed, match="has this secret already"):
        rules.added(Keyset(Scheme.OCROLUS, (text_secret("a"),)), text_secret("a"), at=NOW)


def test_a_secret_must_fit_the_scheme_or_the_one_to_come() -> None:
    ocrolus, standard = Keyset(Scheme.OCROLUS, (text_secret("a"),)), Keyset(Scheme.STANDARD, (hmac_secret("a"),))
    assert ids(rules.added(ocrolus, pair(), at=NOW)) == ["a", "pair"]
    with pytest.raises(ValidationFailed, match="whsec_"):
        rules.added(standard, text_secret("b"), at=NOW)


def test_a_primary_that_is_replaced_stays_for_the_overlap() -> None:
    both = Keyset(Scheme.STANDARD, (hmac_secret("a"), hmac_secret("b")))
    changed = rules.used(both, Use(primary="b", overlap_ms=1000, proven_at=NOW), at=NOW)
    assert changed.secrets == (hmac_secret("b", proven_at=NOW), hmac_secret("a", expires_at=NOW + 1000))
    assert ids(rules.remaining(changed, NOW + 999)) == ["b", "a"]
    assert ids(rules.remaining(changed, NOW + 1000)) == ["b"]
    assert ids(rules.used(both, Use(primary="b", overlap_ms=0), at=NOW)) == ["b"]
    assert rules.used(both, Use(primary="a"), at=NOW) == both


def test_an_old_secret_can_be_the_primary_again_and_then_has_no_expiry() -> None:
    there = rules.used(Keyset(Scheme.OCROLUS, (text_secret("a"), text_secret("b"))), Use(primary="b"), at=NOW)
    back = rules.used(there, Use(primary="a", overlap_ms=5), at=NOW + 1)
    assert back.secrets == (text_secret("a"), text_secret("b", expires_at=NOW + 6))


def test_another_scheme_takes_the_newest_secret_that_fits_it() -> None:
    old = text_secret("a")
    keyset = Keyset(Scheme.OCROLUS, (old, hmac_secret("b"), hmac_secret("c")))
    assert ids(rules.used(keyset, Use(scheme=Scheme.STANDARD), at=NOW)) == ["c", "a", "b"]
    assert ids(rules.used(keyset, Use(scheme=Scheme.STANDARD, primary="b"), at=NOW)) == ["b", "a", "c"]
    assert not rules.used(keyset, Use(scheme=Scheme.STANDARD), at=NOW).signs(old)
    with pytest.raises(ValidationFailed, match="no secret of the webhook can sign by standard-webhooks"):
        rules.used(Keyset(Scheme.OCROLUS, (old,)), Use(scheme=Scheme.STANDARD), at=NOW)
    with pytest.raises(ValidationFailed, match="primary: this secret cannot sign by standard-webhooks"):
        rules.used(keyset, Use(scheme=Scheme.STANDARD, primary="a"), at=NOW)
    with pytest.raises(ValidationFailed, match="ocrolus"):
        rules.used(Keyset(Scheme.STANDARD, (pair(),)), Use(scheme=Scheme.OCROLUS), at=NOW)
    with pytest.raises(SecretNotFound):
        rules.used(keyset, Use(primary="nobody"), at=NOW)


def test_the_primary_cannot_be_taken_away() -> None:
    keyset = Keyset(Scheme.OCROLUS, (text_secret("a"), text_secret("b")))
    with pytest.raises(ValidationFailed, match="another one the primary first"):
        rules.expiring(keyset, "a", 0, at=NOW)
    assert ids(rules.expiring(keyset, "b", 0, at=NOW)) == ["a"]
    with pytest.raises(SecretNotFound):
        rules.expiring(keyset, "c", 0, at=NOW)


def test_the_contracts_call_replaces_all_secrets_at_once_and_keeps_the_scheme() -> None:
    keyset = Keyset(Scheme.STANDARD, (hmac_secret("a"), hmac_secret("b")))
    assert rules.replaced(keyset, hmac_secret("c")) == Keyset(Scheme.STANDARD, (hmac_secret("c"),))
    assert rules.replaced(None, text_secret("c")) == Keyset(Scheme.OCROLUS, (text_secret("c"),))
    with pytest.raises(ValidationFailed, match="secret_key: Standard Webhooks takes whsec_"):
        rules.replaced(keyset, text_secret("c"))


def test_ready_keysets_sign_with_what_is_to_sign() -> None:
    message = b"message"
    only = rules.ready(Keyset(Scheme.OCROLUS, (text_secret("a"), text_secret("b"))), ed25519.signing_function)
    assert [each.sign(message) for each in only.signers] == [signing.ocrolus_signer("secret-number-a").sign(message)]
    mixed = Keyset(Scheme.STANDARD, (pair(), hmac_secret("a", expires_at=NOW), text_secret("b")))
    signers = rules.ready(mixed, ed25519.signing_function).signers
    assert [each.sign(message)[:4] for each in signers] == ["v1a,", "v1," + signers[1].sign(message)[3]]
    assert [each.expires_at for each in signers] == [None, NOW]


def test_what_the_receiver_holds_of_a_pair_is_the_public_key() -> None:
    assert (pair().algorithm, pair().shared) == ("ed25519", PUBLIC)
    assert (text_secret("a").algorithm, text_secret("a").shared) == ("hmac-sha256", "secret-number-a")


def test_a_secret_does_not_tell_its_value_where_it_is_printed() -> None:
    assert "secret-number-a" not in repr(Keyset(Scheme.OCROLUS, (text_secret("a"),)))


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("s" * 15, "at least 16"),
        ("s" * 129, "at most 128"),
        (PRIVATE, "always made here"),
        (PUBLIC, "always made here"),
        ("whsec_tooshort", "at least 16"),
        ("whsec_too-short-as-well", "24 to 64 random bytes"),
    ],
)
def test_a_given_secret_is_checked(value: str, word: str) -> None:
    with pytest.raises(ValidationFailed, match=word):
        rules.check_given(value) if not value.startswith("whsec_tooshort") else rules.check_length("secret", value)


def test_good_secrets_are_taken() -> None:
    rules.check_given("s" * 16)
    rules.check_given("s" * 128)
    rules.check_given(hmac_secret("a").value)


def report(outcome: Outcome, body: bytes = b"") -> Report:
    return Report(outcome, Timings(), body=body)


def test_a_proof_is_an_answer_200_that_fits() -> None:
    keyset = Keyset(Scheme.OCROLUS, (text_secret("a"), text_secret("b")))
    alone = rules.candidate(keyset, Use(primary="b"), at=NOW)
    assert alone == Keyset(Scheme.OCROLUS, (text_secret("b"),))
    right = f'{{"challenge_response": "{signing.challenge_response("secret-number-b", "n")}"}}'.encode()
    rules.demand_proof(alone.primary, "n", report(Answered(200), right))
    for wrong in (report(Answered(201), right), report(TimedOut("body")), report(Answered(200), b"ok")):
        with pytest.raises(ProofFailed) as caught:
            rules.demand_proof(alone.primary, "n", wrong)
        assert caught.value.details


ADD = st.tuples(st.just("add"), st.sampled_from("abcdefg"))
USE = st.tuples(st.just("use"), st.sampled_from("abcdefg"))
EXPIRE = st.tuples(st.just("expire"), st.sampled_from("abcdefg"))
SCHEME = st.tuples(st.just("scheme"), st.sampled_from(list(Scheme)))
REPLACE = st.tuples(st.just("replace"), st.sampled_from("abcdefg"))


@given(st.lists(st.one_of(ADD, USE, EXPIRE, SCHEME, REPLACE), max_size=30))
def test_whatever_is_done_there_is_a_primary_that_signs_and_few_others(steps: list[tuple[str, str]]) -> None:
    keyset = rules.added(None, hmac_secret("first"), at=NOW)
    for number, (what, name) in enumerate(steps):
        try:
            keyset = step(keyset, what, name, NOW + number)
        except BookbellError:
            continue
        assert 1 <= len(keyset.secrets) <= limits.SECRETS_MAX
        assert keyset.primary.expires_at is None
        assert keyset.signs(keyset.primary)
        assert len({each.id for each in keyset.secrets}) == len(keyset.secrets)
        assert rules.from_text(rules.to_text(keyset)) == keyset
        assert rules.ready(keyset, ed25519.signing_function).signers[0].expires_at is None


def step(keyset: Keyset, what: str, name: str, at: int) -> Keyset:
    kind = pair if name == "g" else text_secret if name in "ab" else hmac_secret
    match what:
        case "add":
            return rules.added(keyset, kind(name, created_at=at), at=at)
        case "use":
            return rules.used(keyset, Use(primary=name, overlap_ms=3), at=at)
        case "expire":
            return rules.expiring(keyset, name, 2, at=at)
        case "scheme":
            return rules.used(keyset, Use(scheme=Scheme(name), overlap_ms=3), at=at)
        case _:
            return rules.replaced(keyset, kind(name, created_at=at))
