"""The body of a `templateMessage` request. The OpenAPI document is made from these same definitions. Pure.

The texts of errors belong to the contract of the original app: programs read them, so they are English everywhere.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

MOST = 250
LONGEST_PARAMETER = 32_768
_Name = Annotated[str, StringConstraints(min_length=1, max_length=512)]
_Short = Annotated[str, StringConstraints(max_length=200)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="allow")


class Language(_Part):
    code: Annotated[str, StringConstraints(min_length=1, max_length=20)] = Field(examples=["en", "pt_BR"])
    policy: Literal["deterministic"] | None = None


class Parameter(_Part):
    """One of WhatsApp's parameter objects: `text`, `currency`, `date_time`, `image`, `video`, `document`, `location`,
    `payload`, `coupon_code`, `action`, …"""

    type: Annotated[str, StringConstraints(min_length=1, max_length=40)] = Field(examples=["text"])
    text: Annotated[str, StringConstraints(max_length=LONGEST_PARAMETER)] | None = None


class Component(_Part):
    """Values for one part of the template. Parameters of a footer are left out: WhatsApp takes none."""

    type: Annotated[str, StringConstraints(min_length=1, max_length=40)] = Field(examples=["header", "body", "button"])
    sub_type: Annotated[str, StringConstraints(max_length=40)] | None = None
    index: int | str | None = None
    parameters: list[Parameter] | None = Field(default=None, max_length=100)


class TemplateObject(_Part):
    """WhatsApp's `template` object."""

    name: _Name = Field(examples=["order_update"])
    language: Language
    namespace: str | None = Field(default=None, description="Accepted and ignored.")
    components: list[Component] | None = Field(default=None, max_length=20)


class TemplateMessage(BaseModel):
    model_config = ConfigDict(extra="ignore", title="TemplateMessage", coerce_numbers_to_str=True)

    phoneNumbers: list[Annotated[str, StringConstraints(max_length=100)]] = Field(
        min_length=1, max_length=MOST, description="Recipients with their country code, best with a plus.",
        examples=[["+491701234567"]],
    )  # fmt: skip
    connectedWhatsAppNo: Annotated[str, StringConstraints(min_length=1, max_length=100)] = Field(
        description="The connected WhatsApp number that sends.", examples=["+4915112345678"]
    )
    targetAgent: _Short | None = Field(default=None, description="User name; gets the answer if available.")
    targetDepartment: _Short | None = Field(default=None, description="Id or name; gets the answer otherwise.")
    template: TemplateObject


class FailedContact(BaseModel):
    contact: str = Field(description="Digits of the recipient, with the country code.")
    error: str = Field(description="WhatsApp's reason.")


class Accepted(BaseModel):
    success: Literal[True]
    invalidContacts: list[str] | None = Field(
        default=None,
        description="Given numbers that are no phone numbers, and those (as digits) that WhatsApp said at once it "
        "cannot reach; nothing is sent to them.",
    )
    failedContacts: list[FailedContact] | None = Field(
        default=None, description="Recipients for whom WhatsApp refused the message at once for another reason."
    )


class Failed(BaseModel):
    success: Literal[False]
    error: str


def first_problem(error: ValidationError) -> str:
    """Where, and what is wrong; the text of a missing field is that of the original app."""
    found = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = _place(found["loc"])
    if not where:
        return "The request is not a JSON object."
    empty = found["type"] in ("missing", "string_too_short", "too_short")
    return f'Error! Missing "{where}" field within the request' if empty else f'Error! "{where}": {found["msg"]}'


def problem_of_parameters(asked: TemplateMessage) -> str:
    """What WhatsApp refuses for certain: an empty text, a button without its place. Empty when there is nothing."""
    for at, component in enumerate(asked.template.components or ()):
        where, kind = f"template.components[{at}]", component.type.lower()
        if kind == "footer":
            continue
        if kind == "button" and not (component.sub_type and re.fullmatch(r"\d", str(component.index))):
            return f'Error! "{where}": a button needs sub_type, and index from 0 to 9'
        for place, parameter in enumerate(component.parameters or ()):
            if parameter.type == "text" and not str(parameter.text or "").strip():
                return f'Error! Missing "{where}.parameters[{place}].text" field within the request'
    return ""


def _place(loc: tuple[Any, ...]) -> str:
    path = ""
    for step in loc:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else str(step)
    return path
