"""Figures that anyone can reproduce: `make bench` (`python -m tests.bench`).

Every row is a ratio within one run, measured in turns (ours, theirs, ours, theirs, …) with the median of the turns, so
that other work on the machine disturbs both alike. Where there are two cores or more, the bot has the first to itself,
and the load and both simulators share the others.

    load       the load generator, a process of its own
    peers      the servers that are compared against: bare aiohttp; pywa on FastAPI in an environment of its own
    webhooks   rows about the edge: durable webhooks a second, how long an acknowledgement takes
    instant    a process between the bot and the simulators that answers at once, in the words learned from them
    relay      rows about the road: messages a second and added latency in each direction, calls for each message
    storage    rows about size: cost of a message after a million, restart with a full journal, memory
"""
