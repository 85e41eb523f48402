"""An agent's files go to WhatsApp: all fetched and checked before anything is sent, then uploaded, then sent by id.

The server's word on size and type is checked before the first byte is fetched, so that an agent hears of a limit at
once. What WhatsApp shows as picture, film or sound goes as such; everything else as a document. A picture of another
kind, other colours or too many bytes is turned into one that WhatsApp shows; a text goes as plain text under its own
name. What WhatsApp takes in no form is refused with the list of what it does take, before anything is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.config import App
from bot.errors import FileRefused, MediaRefused, NotAllowed, NotFound
from bot.model import ChatMessage, Conversation, FileRef, MediaKind, Wamid
from bot.ports import Entry, Journal, Json, WhatsApp, Workspace
from bot.relay.handover import Make, opaque_name, to_send
from bot.relay.notices import notice
from bot.relay.photos import Photos
from bot.relay.spool import Filled, OverLimit, Spool, fill
from bot.whatsapp import compose, pictures
from bot.whatsapp import media as rules
from bot.whatsapp.markup import inert_line


@dataclass(frozen=True, slots=True)
class _Uploaded:
    """A file at WhatsApp, ready to be sent."""

    kind: MediaKind
    id: str
    name: str
    still: bool


@dataclass(frozen=True, slots=True)
class _Form:
    """One way in which a file could go."""

    path: Path
    kind: MediaKind
    mime_type: str
    still: bool = False
    """The first picture of a moving one."""


class OutboundMedia:
    def __init__(
        self, journal: Journal, workspace: Workspace, whatsapp: WhatsApp, spool: Spool, app: Callable[[], App]
    ) -> None:
        self._journal = journal
        self._workspace = workspace
        self._whatsapp = whatsapp
        self._spool = spool
        self._app = app
        self._photos = Photos()

    def check(self, files: tuple[FileRef, ...]) -> None:
        """By what Rocket.Chat says of them. Raises FileRefused."""
        for file in files:
            rules.check(self._app(), file.name, file.mime_type, file.size)

    async def parts(
        self,
        entry: Entry,
        message: ChatMessage,
        conversation: Conversation,
        *,
        api_key: str,
        start: int,
        caption: str,
        reply_to: Wamid | None,
    ) -> list[Make]:
        """One part for each file, numbered from `start` on; all that can still be sent are uploaded.

        `caption` and `reply_to` go with the first. Repeatable. Raises FileRefused."""
        steps = entry.steps
        unsure = any(step.state == "handed" and not to_send(step) for step in steps.values())
        wanted = [] if unsure else [at for at in range(len(message.files)) if to_send(steps.get(start + at))]
        ready = await self._ready(message, conversation, api_key, wanted, captioned=bool(caption))
        for at, file in ready.items():
            if file.still:
                key, name = f"still:{entry.key}:{at}", inert_line(message.files[at].name, 80)
                await self._journal.append(notice(key, message.room, "notice.first_picture_only", name=name))

        def make(at: int) -> Make:
            async def body() -> Json:
                file, opaque = ready[at], opaque_name(entry.key, start + at)
                words, answers = ("", None) if at else (caption, reply_to)
                to = compose.address(conversation)
                return compose.media(to, file.kind, file.id, opaque, caption=words, name=file.name, reply_to=answers)

            return body

        return [make(at) for at in range(len(message.files))]

    async def _ready(
        self, message: ChatMessage, conversation: Conversation, api_key: str, wanted: list[int], *, captioned: bool
    ) -> Mapping[int, _Uploaded]:
        if not wanted:
            return {}
        async with self._spool.place() as place:
            fetched = {}
            for at in wanted:
                fetched[at] = await self._fetch(message, message.files[at], conversation, place / str(at))
            return {
                at: await self._upload(
                    message.files[at], place / str(at), filled, api_key, captioned=captioned and at == 0
                )
                for at, filled in fetched.items()
            }

    async def _fetch(self, message: ChatMessage, file: FileRef, conversation: Conversation, path: Path) -> Filled:
        try:
            filled = await self._download(message, file, conversation, path)
        except OverLimit:
            raise rules.too_large(self._app(), file.name) from None
        except NotFound:
            raise FileRefused("file.not_in_rocketchat", name=file.name) from None
        except NotAllowed:
            raise FileRefused("file.closed_in_rocketchat", name=file.name) from None
        rules.check(self._app(), file.name, rules.real_type(file.mime_type, file.name, filled.head), filled.size)
        return filled

    async def _download(self, message: ChatMessage, file: FileRef, conversation: Conversation, path: Path) -> Filled:
        """With the visitor's token; a room of long ago may have been another visitor's of the same customer."""
        most = rules.largest(self._app())
        try:
            return await fill(path, self._workspace.download(message.room, conversation.token, file), most)
        except (NotAllowed, NotFound):
            token = await self._workspace.token_of_room(message.room)
            if token is None or token == conversation.token:
                raise
            return await fill(path, self._workspace.download(message.room, token, file), most)

    async def _upload(self, file: FileRef, path: Path, filled: Filled, api_key: str, *, captioned: bool) -> _Uploaded:
        mime_type = rules.real_type(file.mime_type, file.name, filled.head)
        said: str | None = None
        async for form in self._forms(path, mime_type, filled):
            kind = "document" if captioned and form.kind not in rules.CAPTIONED else form.kind
            upload_type = rules.upload_type(form.mime_type, form.kind)
            try:
                id = await self._whatsapp.upload(
                    api_key, form.path, name=rules.file_name("", "file", form.mime_type, "1"), mime_type=upload_type
                )
            except MediaRefused as error:
                said = said or error.said
                continue
            mark = rules.mark_of(file.id)
            return _Uploaded(kind, id, rules.file_name(file.name, "file", mime_type, mark), form.still)
        if said is None:
            raise FileRefused("file.kind_for_whatsapp", name=file.name, type=mime_type)
        raise FileRefused(
            "file.type_for_whatsapp", name=file.name, type=mime_type, size=rules.size_text(filled.size), said=said
        )

    async def _forms(self, path: Path, mime_type: str, filled: Filled) -> AsyncIterator[_Form]:
        """Best first; a later one is made only when the ones before were refused. None: WhatsApp takes no such file."""
        kind = rules.kind_of(mime_type, filled.size, filled.head)
        picture = mime_type.startswith("image/")
        shown = kind == "image" and await asyncio.to_thread(pictures.fits, path)
        if picture and not shown and (photo := await self._photos.of(path)) is not None:
            yield _Form(photo.path, "image", photo.mime_type, photo.still)
        if whole := rules.whole_type(mime_type, filled.head):
            yield _Form(path, kind, whole)
        if picture and shown and (photo := await self._photos.of(path)) is not None:
            yield _Form(photo.path, "image", photo.mime_type, photo.still)
