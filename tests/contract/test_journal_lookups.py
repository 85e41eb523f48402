"""What every journal promises about conversations, message pairs and marks."""

from dataclasses import replace

from bot.model import ContactId, Conversation, MessageId, NumberId, Pair, RoomId, VisitorToken, Wamid
from bot.ports import Journal, Outcome
from tests.contract.journals import ManualClock, Store, entry, take

OURS, OTHER = NumberId("4915112345678"), NumberId("4915199999999")
MARIA = Conversation(
    number=OURS,
    contact=ContactId("491701234567"),
    token=VisitorToken("token-of-maria"),
    room=RoomId("room1"),
    phone="+491701234567",
    user_id="DE.42",
    name="Maria 😄 ",
    last_inbound_at=1000.5,
)
PAIR = Pair(
    wamid=Wamid("wamid.A+/="),
    message=MessageId("m1"),
    room=RoomId("room1"),
    number=OURS,
    contact=MARIA.contact,
    outbound=True,
    entry="rc:m1",
)


async def test_done_records_conversation_and_pairs_with_it(journal: Journal) -> None:
    await journal.append(entry("a"))

    await journal.done(await take(journal, "a"), Outcome({}, (PAIR,), MARIA))

    assert await journal.conversation(OURS, MARIA.contact) == MARIA
    assert await journal.pair(PAIR.wamid) == PAIR
    assert await journal.pairs_of_message(PAIR.message) == [PAIR]


async def test_a_conversation_is_found_by_each_of_its_names(journal: Journal) -> None:
    await journal.remember(replace(MARIA, contact=ContactId("DE.7"), user_id="DE.42"))

    for name in ("DE.7", "491701234567", "DE.42"):
        found = await journal.conversation(OURS, ContactId(name))
        assert found is not None
        assert found.contact == "DE.7"
        assert await journal.conversation(OTHER, ContactId(name)) is None
    assert await journal.conversation(OURS, ContactId("")) is None
    assert await journal.conversation(OURS, ContactId("49170")) is None


async def test_a_contacts_own_name_counts_more_than_a_shared_phone(journal: Journal) -> None:
    moved = replace(MARIA, contact=ContactId("DE.7"), token=VisitorToken("other"), user_id="", last_inbound_at=9e9)
    await journal.remember(moved)
    await journal.remember(MARIA)

    assert await journal.conversation(OURS, MARIA.contact) == MARIA


async def test_of_two_who_share_a_phone_the_one_who_wrote_last_is_meant(journal: Journal) -> None:
    old = replace(MARIA, contact=ContactId("DE.1"), token=VisitorToken("1"), user_id="", last_inbound_at=10)
    new = replace(MARIA, contact=ContactId("DE.2"), token=VisitorToken("2"), user_id="", last_inbound_at=20)
    await journal.remember(new)
    await journal.remember(old)

    assert await journal.conversation(OURS, MARIA.contact) == new


async def test_every_room_that_it_ever_had_leads_to_the_conversation(journal: Journal) -> None:
    await journal.remember(MARIA)
    await journal.remember(replace(MARIA, room=None))
    await journal.remember(replace(MARIA, room=RoomId("room2")))

    for room in ("room1", "room2"):
        found = await journal.conversation_of_room(RoomId(room))
        assert found is not None
        assert (found.contact, found.room) == (MARIA.contact, "room2")
    assert await journal.conversation_of_room(RoomId("room3")) is None


async def test_a_conversation_is_found_by_its_token_as_it_now_is(journal: Journal) -> None:
    await journal.remember(MARIA)
    assert await journal.conversation_of_token(MARIA.token) == MARIA

    renewed = replace(MARIA, token=VisitorToken("another"))
    await journal.remember(renewed)

    assert await journal.conversation_of_token(MARIA.token) is None
    assert await journal.conversation_of_token(renewed.token) == renewed


async def test_the_window_of_a_customer_never_moves_back(journal: Journal) -> None:
    await journal.remember(MARIA)
    await journal.remember(replace(MARIA, last_inbound_at=10.0, name="Mary"))

    found = await journal.conversation(OURS, MARIA.contact)

    assert found == replace(MARIA, name="Mary")


async def test_the_same_customer_on_two_numbers_has_two_conversations(journal: Journal) -> None:
    second = replace(MARIA, number=OTHER, token=VisitorToken("second"), room=RoomId("room2"))
    await journal.remember(MARIA)
    await journal.remember(second)

    assert await journal.conversation(OURS, MARIA.contact) == MARIA
    assert await journal.conversation(OTHER, MARIA.contact) == second


async def test_a_pair_is_updated_and_keeps_the_state_it_had(journal: Journal) -> None:
    delivered = replace(PAIR, state="delivered", state_at=5.0)
    for number, pair in enumerate((PAIR, delivered, replace(PAIR, room=RoomId("room2")))):
        await journal.append(entry(f"e{number}"))
        await journal.done(await take(journal, f"e{number}"), Outcome({}, (pair,)))

    assert await journal.pair(PAIR.wamid) == replace(delivered, room=RoomId("room2"))


async def test_a_state_that_comes_with_an_older_pair_does_not_hide_where_the_message_stands(journal: Journal) -> None:
    """A status read the pair before the message was shown, and is stored after it."""
    before = replace(PAIR, message=MessageId(""), room=RoomId("setup"))
    for number, pair in enumerate((before, PAIR, replace(before, state="read", state_at=5.0))):
        await journal.append(entry(f"e{number}"))
        await journal.done(await take(journal, f"e{number}"), Outcome({}, (pair,)))

    assert await journal.pair(PAIR.wamid) == replace(PAIR, state="read", state_at=5.0)
    assert len(await journal.pairs_of_message(PAIR.message)) == 1


async def test_a_message_in_several_parts_has_several_pairs(journal: Journal) -> None:
    pairs = tuple(replace(PAIR, wamid=Wamid(f"w{number}")) for number in range(3))
    await journal.append(entry("a"))

    await journal.done(await take(journal, "a"), Outcome({}, pairs))

    assert sorted(await journal.pairs_of_message(PAIR.message), key=lambda pair: pair.wamid) == list(pairs)
    assert await journal.pair(Wamid("w9")) is None
    assert await journal.pairs_of_message(MessageId("m9")) == []


async def test_what_was_recorded_is_there_after_a_restart(store: Store, clock: ManualClock) -> None:
    async with store.open(clock) as journal:
        await journal.append(entry("a"))
        await journal.done(await take(journal, "a"), Outcome({}, (PAIR,), MARIA))
        await journal.set_mark("heard", "17.5")

    async with store.open(clock) as journal:
        assert await journal.pair(PAIR.wamid) == PAIR
        assert await journal.conversation_of_token(MARIA.token) == MARIA
        assert await journal.mark("heard") == "17.5"


async def test_a_mark_is_the_value_that_was_set_last(journal: Journal) -> None:
    assert await journal.mark("heard") is None

    await journal.set_mark("heard", "1")
    await journal.set_mark("heard", "2")
    await journal.set_mark("other", "3")

    assert await journal.mark("heard") == "2"


async def test_a_mark_that_only_goes_forward_never_goes_back(journal: Journal) -> None:
    for value in ("9.5", "10.25", "10.0", "9"):
        await journal.set_mark("heard", value, forward=True)

    assert await journal.mark("heard") == "10.25"


async def test_a_mark_of_nothing_is_forgotten(journal: Journal) -> None:
    await journal.set_mark("heard", "1")
    await journal.set_mark("heard", "")
    await journal.set_mark("never", "")

    assert await journal.mark("heard") is None
    assert await journal.marks("he") == await journal.marks("ne") == {}


async def test_marks_are_found_by_how_their_names_begin_in_pages(journal: Journal) -> None:
    names = ["a:1", "a:10", "a:2", "a:é", "a:😀"]
    for name in (*reversed(names), "a", "b:1", "A:1"):
        await journal.set_mark(name, f"of {name}")

    assert list((await journal.marks("a:")).items()) == [(name, f"of {name}") for name in names]
    assert list(await journal.marks("a:", limit=2)) == names[:2]
    assert list(await journal.marks("a:", after=names[1])) == names[2:]
    assert await journal.marks("a:", after=names[-1]) == {}
