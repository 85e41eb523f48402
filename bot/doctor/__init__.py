"""What may be wrong, why, and what to do: `python -m bot doctor`, and the same in chat.

    examine      asks everything once, each question bounded in time
    workspace · dialog360 · address · house     the edge: facts, never an opinion
    facts        what was found
    judge        facts → findings; pure, so every bad case is tested without a server

A finding is a key of the catalogue and what fills it, as everything that people read.
"""
