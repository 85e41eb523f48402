"""WhatsApp numbers (360Dialog Cloud API) for the Omnichannel agents of a Rocket.Chat workspace.

The bot runs beside the workspace as an ordinary user account. It listens over Rocket.Chat's websocket (DDP), speaks
over REST, and runs a small web server for 360Dialog's webhooks and for its own forms. Its promise: no message lost,
none doubled, and nobody left guessing whether it arrived.

The road
--------

    WhatsApp ────POST─▶ web/webhooks ──┐                             ┌▶ relay/inbound  ──▶ Workspace ──▶ Rocket.Chat
    Rocket.Chat ─DDP──▶ relay/listener ┤                             ├▶ relay/outbound ──▶ WhatsApp ───▶ 360Dialog
    Rocket.Chat ─REST─▶ relay/listener ┼──▶ Journal ──▶ relay/worker ┼▶ relay/statuses ──▶ what became of it
      (catch-up)                       │  (key, lane, raw)           ├▶ relay/events, relay/notices
    web/forms (a submitted form),      │                             └▶ chatops ──▶ commands ──▶ Workspace
    web/template_api (an order) ───────┘

1. One road. Whatever enters becomes an *entry* in the journal; the worker takes it; a handler does it.
2. The edge only stamps. It finds the entry's `key` (identity, for deduplication) and `lane` (whose conversation, for
   order), stores the raw item, and only then says 200. What today's code cannot understand is kept, not lost.
3. Same lane: one at a time, in order. Different lanes: together. Both directions and statuses have lanes of their own.
4. Every effect can be repeated or recognised. Into Rocket.Chat: the message `_id` is computed from the key. Into
   WhatsApp, which has no such key, "handed over, outcome unknown" is a state of its own; a status webhook settles it,
   never a silent second send.
5. Pure in the middle, input and output at the edge. A test walks the imports and fails on a climb.
6. The journal forgets what it delivered, never that it did.

The floors, from the ground up; imports go downwards only
---------------------------------------------------------

    model · errors · config · translations     the words of the domain, every way to fail, settings, texts
    ports · ports_rocketchat · ports_journal   what the middle needs from outside: Journal, Workspace, WhatsApp, …
    whatsapp/  rocketchat/                     the two wires as pure functions: split, read, compose, translate
    relay/  chatops/                           the road and the commands; they see the world only through the ports
     ┗ beside them: metrics · logs             what is counted, and lines without numbers or secrets
    web/  ../commands/                         the HTTP edge and its pages; one file for each command
    whatsapp/{client, paces}  rocketchat/{realtime, rest, livechat, files}  storage/  callbacks   adapters of the ports
    startup · doors                            what is known once Rocket.Chat has answered; every adapter, opened
    doctor/                                    facts and findings: what may be wrong, why, and what to do
    handlers · app                             which handler does which kind of entry; builds everything once
    stage · demo · cli/ · __main__             both simulators around the real bot, the story, the command line

`sandbox/` is a small Rocket.Chat and a small 360Dialog that speak the real wire, for the demo and the tests. It imports
nothing of the bot: an error in our reading must not be repeated by its judge.
"""

VERSION = "0.1.0"
