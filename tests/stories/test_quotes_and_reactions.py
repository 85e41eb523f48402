"""Quotes, reactions, edits and deletions, in both directions."""

from typing import Any

from bot.stage import Stage, staged


async def talking(stage: Stage, words: str = "hi") -> tuple[str, str]:
    """A connected number and a customer who wrote: the room, and the wamid of what they wrote."""
    await stage.connect()
    wamid = await stage.customer.write(stage.number, words)
    return await stage.agent_reads(words), wamid


def from_customer(stage: Stage, room: str) -> list[dict[str, Any]]:
    return [message for message in stage.rc.messages(room) if message.get("token") and not message.get("t")]


async def agent_writes(stage: Stage, room: str, text: str) -> str:
    message = await stage.rc.write(stage.agent, room, text)
    assert message is not None
    return str(message["_id"])


def quotes_in(message: dict[str, Any]) -> list[str]:
    return [part["text"] for part in message.get("attachments", []) if part.get("message_link")]


async def test_what_the_customer_quotes_is_quoted_in_the_room_with_one_call() -> None:
    async with staged() as stage:
        room, first = await talking(stage, "the first thing")
        await stage.rc.write(stage.agent, room, "what about Sunday?")
        await stage.customer_reads("what about Sunday?")
        before = len(stage.rc.calls)

        await stage.customer.write(stage.number, "Sunday is fine", reply_to=stage.customer.received[-1].wamid)
        await stage.agent_reads("Sunday is fine")
        await stage.customer.write(stage.number, "I meant this", reply_to=first)
        await stage.agent_reads("I meant this")

        assert [call.path for call in stage.rc.calls[before:]] == ["/api/v1/livechat/message"] * 2
        assert [quotes_in(message) for message in from_customer(stage, room)[1:]] == [
            ["what about Sunday?"],
            ["the first thing"],
        ]


async def test_a_quote_of_an_unknown_message_is_said_in_words() -> None:
    async with staged() as stage:
        room, _ = await talking(stage)
        await stage.customer.write(stage.number, "as I said", reply_to="wamid.of_another_system")
        await stage.agent_reads("as I said")

        message = from_customer(stage, room)[-1]
        assert quotes_in(message) == []
        assert message["msg"].splitlines()[0] == "_Answers a message that is not known here:_"


async def test_a_server_that_does_not_tell_its_address_is_quoted_under_the_configured_one() -> None:
    async with staged(start=False) as stage:
        stage.rc.levers.add("settings.public", times=-1, status=404, body={"success": False, "error": "not here"})
        await stage.start()
        room, first = await talking(stage)
        await stage.customer.write(stage.number, "about that", reply_to=first)
        await stage.agent_reads("about that")

        assert quotes_in(from_customer(stage, room)[-1]) == ["hi"]


async def test_quotes_can_be_switched_off() -> None:
    async with staged(allow_quote_messages=False) as stage:
        room, first = await talking(stage)
        await stage.customer.write(stage.number, "about that", reply_to=first)
        await stage.customer.write(stage.number, "and that", reply_to="wamid.of_another_system")
        await stage.agent_reads("and that")

        assert stage.from_customer(room) == ["hi", "about that", "and that"]


async def test_what_an_agent_quotes_is_quoted_on_the_phone() -> None:
    async with staged() as stage:
        room, wamid = await talking(stage)
        asked = from_customer(stage, room)[0]["_id"]
        link = f"[ ]({stage.rc.url}/live/{room}?msg={asked})\n"
        await stage.rc.write(stage.agent, room, f"{link}yes to this")
        await stage.customer_reads("yes to this")

        assert stage.customer.received[-1].body["context"] == {"message_id": wamid}


async def test_a_quote_that_whatsapp_does_not_know_becomes_a_line_and_never_leaks_another_room() -> None:
    async with staged() as stage:
        room, _ = await talking(stage)
        stage.wa.levers.add("/messages", status=400, body={"error": {"code": 131009, "message": "no"}})
        refused = await agent_writes(stage, room, "never\nsent")
        [notice] = await stage.rc.until(lambda: stage.from_bot(room))
        private = stage.rc.direct_room(stage.agent, stage.admin)
        secret = await agent_writes(stage, private, "a secret")
        links = {
            "one": f"{stage.rc.url}/live/{room}?msg={refused}",
            "two": f"{stage.rc.url}/live/{room}?msg={notice['_id']}",
            "three": f"{stage.rc.url}/direct/{private}?msg={secret}",
        }
        for words, link in links.items():
            await stage.rc.write(stage.agent, room, f"[ ]({link}) {words}")
        await stage.customer_reads("three")

        assert [one.text for one in stage.customer.received] == ["> never\n> sent\none", "two", "three"]


async def test_a_reaction_of_the_customer_is_a_reaction_in_the_room() -> None:
    async with staged() as stage:
        room, _ = await talking(stage)
        await stage.rc.write(stage.agent, room, "your parcel is here")
        await stage.customer_reads("your parcel is here")
        [answer] = [message for message in stage.rc.messages(room) if message["msg"] == "your parcel is here"]
        wamid = stage.customer.received[-1].wamid

        def reactions() -> dict[str, Any]:
            found = next(one for one in stage.rc.messages(room) if one["_id"] == answer["_id"])
            return {code: who["usernames"] for code, who in found.get("reactions", {}).items()}

        me = stage.bot_user.username
        await stage.customer.react(stage.number, wamid, "👍")
        await stage.rc.until(lambda: reactions() == {":thumbsup:": [me]})
        await stage.customer.react(stage.number, wamid, "❤️")
        await stage.rc.until(lambda: reactions() == {":heart:": [me]})
        await stage.rc.react(stage.agent, answer["_id"], ":tada:")
        await stage.customer.react(stage.number, wamid, "")
        await stage.rc.until(lambda: reactions() == {":tada:": [stage.agent.username]})

        assert stage.from_customer(room) == ["hi"]


async def test_a_reaction_that_cannot_be_set_is_said_in_words() -> None:
    async with staged() as stage:
        room, wamid = await talking(stage)
        unknown_emoji = {"success": False, "errorType": "error-not-allowed"}
        stage.rc.levers.add("chat.react", times=-1, status=400, body=unknown_emoji)
        await stage.customer.react(stage.number, wamid, "🙏")
        await stage.agent_reads("🙏")
        await stage.customer.react(stage.number, "wamid.of_another_system", "👀")
        await stage.agent_reads("👀")

        known, unknown = from_customer(stage, room)[1:]
        assert quotes_in(known) == ["hi"]
        assert quotes_in(unknown) == []


async def test_a_correction_shows_the_new_text_and_quotes_the_old_one() -> None:
    async with staged() as stage:
        room, wamid = await talking(stage, "I am Anna, born 1890")
        change = {"original_message_id": wamid, "message": {"type": "text", "text": {"body": "I am Anna, born 1990"}}}
        await stage.customer.send(stage.number, type="edit", edit=change)
        await stage.agent_reads("1990")

        old, new = from_customer(stage, room)
        assert old["msg"] == "I am Anna, born 1890"
        assert quotes_in(new) == ["I am Anna, born 1890"]


async def test_a_deleted_message_stays_and_is_marked_even_after_the_conversation() -> None:
    async with staged() as stage:
        room, wamid = await talking(stage, "my card number is …")
        await stage.rc.close_room(stage.agent, room)
        assert stage.bot is not None
        await stage.customer.send(stage.number, type="revoke", revoke={"original_message_id": wamid})
        [mark] = await stage.rc.until(lambda: stage.from_bot(room))

        assert "deleted this message" in mark["msg"]
        assert quotes_in(mark) == ["my card number is …"]
        assert stage.from_customer(room) == ["my card number is …"]
        assert len(stage.rooms_of()) == 1


async def test_an_agents_reaction_reaches_the_phone_and_can_be_taken_back() -> None:
    async with staged() as stage:
        room, wamid = await talking(stage)
        asked = from_customer(stage, room)[0]["_id"]
        await stage.rc.react(stage.agent, asked, ":thumbsup:")
        await stage.wa.until(lambda: len(stage.customer.received) == 1)
        await stage.rc.emit_again(asked)
        await stage.rc.react(stage.agent, asked, ":thumbsup:")
        await stage.wa.until(lambda: len(stage.customer.received) == 2)

        bodies = [one.body for one in stage.customer.received]
        assert [body["reaction"] for body in bodies] == [
            {"message_id": wamid, "emoji": "👍"},
            {"message_id": wamid, "emoji": ""},
        ]
        assert all(set(body) == {"messaging_product", "recipient_type", "to", "type", "reaction"} for body in bodies)


async def test_a_reaction_that_is_taken_back_while_the_bot_is_away_goes_from_the_phone_once() -> None:
    async with staged() as stage:
        room, wamid = await talking(stage)
        asked = from_customer(stage, room)[0]["_id"]
        await stage.rc.react(stage.agent, asked, ":thumbsup:")
        await stage.wa.until(lambda: len(stage.customer.received) == 1)
        await stage.stop()
        await stage.rc.react(stage.agent, asked, ":thumbsup:")
        await stage.start()
        await stage.wa.until(lambda: [{"message_id": wamid, "emoji": one} for one in ("👍", "")] == reactions(stage))
        await stage.stop()
        await stage.start()
        await agent_writes(stage, room, "the end")
        await stage.customer_reads("the end")

        assert [one["emoji"] for one in reactions(stage)] == ["👍", ""], "once"


def reactions(stage: Stage) -> list[dict[str, str]]:
    return [one.body["reaction"] for one in stage.customer.received if one.body["type"] == "reaction"]


async def test_an_agents_reaction_to_an_agents_message_reaches_the_phone_too() -> None:
    async with staged() as stage:
        room, _ = await talking(stage)
        sent = await agent_writes(stage, room, "done")
        await stage.customer_reads("done")
        wamid = stage.customer.received[-1].wamid
        await stage.rc.react(stage.agent, sent, ":tada:")
        await stage.wa.until(lambda: len(stage.customer.received) == 2)
        await stage.rc.edit(stage.agent, sent, "all done")
        [told] = await stage.rc.until(lambda: stage.from_bot(room))
        assert "still has the old text" in told["msg"], "an edit is told though the message has a reaction"
        await stage.rc.react(stage.agent, told["_id"], ":thumbsup:")
        await stage.rc.react(stage.agent, sent, ":tada:")
        await stage.rc.write(stage.agent, room, "the end")
        await stage.customer_reads("the end")

        bodies = [one.body for one in stage.customer.received]
        assert [body["reaction"] for body in bodies if body["type"] == "reaction"] == [
            {"message_id": wamid, "emoji": "🎉"},
            {"message_id": wamid, "emoji": ""},
        ]
        assert [one.text for one in stage.customer.received if one.body["type"] == "text"] == ["done", "the end"]


async def test_an_emoji_of_the_workspace_alone_is_told_once_not_to_reach_the_phone() -> None:
    async with staged() as stage:
        room, _ = await talking(stage)
        asked = from_customer(stage, room)[0]["_id"]
        stage.rc.core.world.messages[asked]["reactions"] = {":acme-logo:": {"usernames": [stage.agent.username]}}
        await stage.rc.emit_again(asked)
        [told] = await stage.rc.until(lambda: stage.from_bot(room))
        await stage.rc.emit_again(asked)
        await stage.rc.write(stage.agent, room, "the end")
        await stage.customer_reads("the end")

        assert "acme-logo" in told["msg"]
        assert "customer does not see" in told["msg"]
        assert quotes_in(told) == ["hi"]
        assert len(stage.from_bot(room)) == 1
        assert len(stage.customer.received) == 1


async def test_a_reaction_that_whatsapp_refuses_is_told() -> None:
    async with staged() as stage:
        room, _ = await talking(stage)
        stage.wa.levers.add("/messages", status=400, body={"error": {"code": 131047, "message": "(#131047) late"}})
        await stage.rc.react(stage.agent, from_customer(stage, room)[0]["_id"], ":thumbsup:")
        [told] = await stage.rc.until(lambda: stage.from_bot(room))

        assert "customer does not see your reaction" in told["msg"]
        assert "24 hours" in told["msg"]


async def test_a_reaction_that_fails_later_is_told_once_a_message_and_to_no_status_endpoint() -> None:
    async with staged() as stage:
        stage.wa.auto_status = False
        room, _ = await talking(stage)
        message = from_customer(stage, room)[0]["_id"]
        for count, code in enumerate((":thumbsup:", ":heart:"), 1):
            await stage.rc.react(stage.agent, message, code)
            await stage.wa.until(lambda: len(stage.customer.received) == count)  # noqa: B023 - it is waited for here
            wamid = stage.customer.received[-1].wamid
            for state in ("sent", "failed", "failed"):
                await stage.wa.status(wamid, state, code=131026 if state == "failed" else None)
        [told] = await stage.rc.until(lambda: stage.from_bot(room))
        await stage.rc.write(stage.agent, room, "the end")
        await stage.customer_reads("the end")

        assert quotes_in(told) == ["hi"]
        assert "customer does not see your reaction" in told["msg"]
        assert "WhatsApp cannot reach this customer" in told["msg"]
        assert stage.bot is not None
        stored = await stage.bot.journal.closed(f"st:{wamid}:failed", 10)
        assert stored is not None and stored.result["state"] == "failed"
        assert len(stage.from_bot(room)) == 1


async def test_a_reaction_that_could_not_be_taken_back_is_not_said_to_be_unseen() -> None:
    async with staged() as stage:
        stage.wa.auto_status = False
        room, _ = await talking(stage)
        message = from_customer(stage, room)[0]["_id"]
        await stage.rc.react(stage.agent, message, ":thumbsup:")
        await stage.wa.until(lambda: stage.customer.received)
        await stage.rc.react(stage.agent, message, ":thumbsup:")
        await stage.wa.until(lambda: len(stage.customer.received) == 2)
        await stage.wa.status(stage.customer.received[-1].wamid, "failed", code=131026)
        await stage.rc.write(stage.agent, room, "the end")
        await stage.customer_reads("the end")

        assert stage.from_bot(room) == []


async def test_the_customers_own_reaction_is_not_sent_back_to_them() -> None:
    async with staged() as stage:
        room, wamid = await talking(stage)
        await stage.customer.react(stage.number, wamid, "👍")
        await stage.rc.until(lambda: from_customer(stage, room)[0].get("reactions"))
        await stage.rc.write(stage.agent, room, "the end")
        await stage.customer_reads("the end")

        assert len(stage.customer.received) == 1


async def test_an_agent_who_edits_what_was_sent_is_told_once_that_the_customer_has_the_old_text() -> None:
    async with staged() as stage:
        room, _ = await talking(stage)
        sent = await agent_writes(stage, room, "tomorow")
        await stage.customer_reads("tomorow")
        await stage.rc.edit(stage.agent, sent, "tomorrow")
        [told] = await stage.rc.until(lambda: stage.from_bot(room))
        await stage.rc.edit(stage.agent, sent, "tomorrow at ten")
        await stage.rc.write(stage.agent, room, "the end")
        await stage.customer_reads("the end")

        assert "still has the old text" in told["msg"]
        assert quotes_in(told) == ["tomorrow"] or quotes_in(told) == ["tomorrow at ten"]
        assert len(stage.from_bot(room)) == 1
        assert [one.text for one in stage.customer.received] == ["tomorow", "the end"]


async def test_an_agent_who_deletes_what_was_sent_is_told_that_the_customer_has_it() -> None:
    async with staged() as stage:
        stage.rc.settings["Message_ShowDeletedStatus"] = True
        room, _ = await talking(stage)
        sent = await agent_writes(stage, room, "oops")
        await stage.customer_reads("oops")
        await stage.rc.remove(stage.agent, sent)
        [told] = await stage.rc.until(lambda: stage.from_bot(room))

        assert "still has it" in told["msg"]


async def test_a_deletion_that_leaves_no_placeholder_is_told_once_the_rooms_are_read() -> None:
    """The default of a workspace: the stream of messages is silent, and `chat.syncMessages` alone names what is gone.
    What never came to the customer is nobody's concern."""
    async with staged() as stage:
        room, _ = await talking(stage)
        sent = await agent_writes(stage, room, "oops")
        await stage.customer_reads("oops")
        stage.wa.levers.add("/messages", status=400, body={"error": {"code": 131009, "message": "(#131009) no"}})
        refused = await agent_writes(stage, room, "not for them")
        [failed] = await stage.rc.until(lambda: stage.from_bot(room))
        await stage.rc.remove(stage.agent, refused)
        await stage.rc.remove(stage.agent, sent)
        await stage.rc.cut_sockets()
        told = await stage.rc.until(lambda: stage.from_bot(room)[1:])
        await stage.rc.cut_sockets()
        await stage.rc.write(stage.agent, room, "the end")
        await stage.customer_reads("the end")

        assert "Not delivered" in failed["msg"]
        assert ["still has it" in one["msg"] for one in told] == [True]
        assert len(stage.from_bot(room)) == 2


async def test_a_failure_that_comes_later_quotes_the_message_that_failed() -> None:
    async with staged() as stage:
        stage.wa.auto_status = False
        room, _ = await talking(stage)
        await stage.rc.write(stage.agent, room, "one")
        await stage.rc.write(stage.agent, room, "two")
        await stage.customer_reads("two")
        await stage.wa.status(stage.customer.received[0].wamid, "failed", code=131026, title="Message undeliverable")
        [told] = await stage.rc.until(lambda: stage.from_bot(room))

        assert quotes_in(told) == ["one"]


async def test_what_whatsapp_was_too_busy_to_deliver_is_not_said_to_be_tried_again() -> None:
    """WhatsApp took it and gave up later: nothing sends it once more, so the agent has to."""
    async with staged() as stage:
        stage.wa.auto_status = False
        room, _ = await talking(stage)
        await stage.rc.write(stage.agent, room, "one")
        await stage.customer_reads("one")
        await stage.wa.status(stage.customer.received[0].wamid, "failed", code=131000, title="Something went wrong")
        [told] = await stage.rc.until(lambda: stage.from_bot(room))

        assert "Send it again in a few minutes" in told["msg"]
        assert len(stage.customer.received) == 1
