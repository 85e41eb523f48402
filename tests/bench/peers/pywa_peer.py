"""pywa's webhook route on FastAPI and uvicorn, as its documentation shows it; the handler does nothing.

Run by the interpreter of an environment of its own (see `environment`): not a dependency of ours, hence no types here.
"""

import socket

import uvicorn
from fastapi import FastAPI
from pywa_async import WhatsApp

app = FastAPI()
whatsapp = WhatsApp(
    phone_id="14915112345678", token="none", server=app, verify_token="none",
    webhook_endpoint="/incoming", validate_updates=False,
)  # fmt: skip


@whatsapp.on_message
async def message(_client, _message):
    """Read, and that is all."""


if __name__ == "__main__":
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False, loop="uvloop"))
    server.run(sockets=[listening])
