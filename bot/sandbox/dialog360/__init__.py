"""A small 360Dialog (Cloud API, waba-v2) with WhatsApp and its customers behind it, speaking the real wire on loopback.

refusals     every way it says no                     phones      how WhatsApp writes a number
messages     checks POST /messages  (+ interactive,   templates   definitions, both APIs  (+ template_send)
             fields)                                   media       uploads, addresses that expire
outbox       accepted, shown, reported                customer    a person with a phone
webhooks     where webhooks go, and again             envelope    their shape
limits       how fast is too fast                     routes      the endpoints  (server: around them)
state        what is remembered                       sandbox     the whole, with every switch
"""

from bot.sandbox.dialog360.customer import Customer
from bot.sandbox.dialog360.sandbox import Dialog360Sandbox
from bot.sandbox.dialog360.state import Call, Delivery, Message, Received, SandboxNumber

__all__ = ["Call", "Customer", "Delivery", "Dialog360Sandbox", "Message", "Received", "SandboxNumber"]
