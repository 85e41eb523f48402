"""What can go wrong around the bot, and the visible state in which each of it ends.

| fault | end state | test |
|---|---|---|
| Rocket.Chat away for minutes | webhooks get 200, `/readyz` says away; then all is there, in order | rocketchat |
| Rocket.Chat answers 429, 500, 502, HTML, nothing | delivered once, in order | rocketchat |
| a proxy, firewall or login page in front of either answers 401, 403 or 404 | an outage: tried again, delivered once, \
the agent told after three minutes | rocketchat, whatsapp |
| its answer is lost after the effect | delivered once | stories/test_gaps |
| websocket cut, messages in the gap | caught up exactly, nothing overtaken | stories/test_gaps |
| websocket silently dead | given up after 40 s without a sign of life, caught up | rocketchat |
| Rocket.Chat says how long to wait | it is not asked before, and nothing overtakes | rocketchat |
| Rocket.Chat away under traffic | what comes in waits on the disk; memory holds what is being worked on | rocketchat |
| a link's preview holds an agent's message back | what was written after it does not overtake it | rocketchat |
| events lost while the socket lives | found by the periodic catch-up | rocketchat |
| forced logout (password) | logs in again by itself, nothing lost | rocketchat |
| token revoked (fixed) | `/readyz` says away; everything waits until the token is replaced | rocketchat |
| 360Dialog answers 429, 400 rate limit, 503 | sent once, in order | whatsapp |
| 360Dialog fails (5xx) after it took the message | its status is waited for 5 s, sent once | whatsapp |
| 360Dialog answers 500, 502 or 504 with a page | unknown: told to the agent, never sent twice | whatsapp |
| time-out after it accepted | settled by the status; without one told as unknown, and settled even later | whatsapp |
| status before the answer | known, once | whatsapp |
| API key revoked | agent and setup channel told what to do; Retry delivers with the new key | whatsapp |
| pair rate limit | only that customer waits | whatsapp |
| 360Dialog sends again, in any order, what the bot did not take | shown in the order it was written | whatsapp |
| webhook delivered again for days | shown once, also after a restart | whatsapp |
| disk full | webhooks get 503 and come again, the log and `/readyz` say so; it goes on by itself | machine |
| asked to stop while the disk is full | it stops within 30 s; nothing lost, nothing doubled | machine |
| started on a full disk | it starts, or ends with one sentence and code 1, so that it is started again | machine |
| another program holds the database | webhooks get 503 and come again, the log and `/readyz` say so; it goes on | \
machine |
| clock jumps back or forward | nothing waits for the time that went twice, nothing is given up | machine |
| clock a day wrong, and the answer of an upload is lost | the file is found, and posted once | machine |
| two bots on one data folder | the second names the first, says what to do, and ends with code 2 | machine |
| damaged or foreign database | untouched, named, says what to do | machine, contract/test_journal_sqlite |
| older database | a copy is kept before it is brought up to date | machine |
| newer database | refused, untouched | contract/test_journal_sqlite, test_postgres_store |
| PostgreSQL away and back under traffic | webhooks get 503 and come again; nothing lost, nothing doubled | database |
| a person or program that asks while it is away | told within seconds, asks again without harm | database |
| of several bots one is frozen | the others go on in 5 s, with its talks in 25 s | contract/test_postgres_trouble |
| one whose machine vanished | its conversations are taken over | contract/test_postgres_trouble |
| a dump of PostgreSQL put back | refused until somebody says what it means; nothing doubled | stories/test_dump |
| killed at any moment | see tests/crash | crash |
"""
