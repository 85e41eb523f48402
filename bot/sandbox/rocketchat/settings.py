"""Workspace settings with the defaults of Rocket.Chat 8.3 (apps/meteor/server/settings/*.ts).

A plain dict to tests; a change is announced, as `stream-notify-all` does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

PUBLIC: dict[str, Any] = {
    "Accounts_TwoFactorAuthentication_Enabled": True,
    "API_Embed": True,
    "E2E_Enable": False,
    "FileUpload_Enabled": True,
    "FileUpload_MaxFileSize": 104857600,
    "FileUpload_MediaTypeBlackList": "image/svg+xml",
    "FileUpload_MediaTypeWhiteList": "",
    "FileUpload_ProtectFiles": True,
    "Hide_System_Messages": [],
    "Livechat_accept_chats_with_no_agents": False,
    "Livechat_enabled": True,
    "Livechat_enable_message_character_limit": False,
    "Livechat_fileupload_enabled": True,
    "Livechat_message_character_limit": 0,
    "Livechat_request_comment_when_closing_conversation": True,
    "Livechat_Routing_Method": "Auto_Selection",
    "Message_AllowDeleting": True,
    "Message_AllowDeleting_BlockDeleteInMinutes": 0,
    "Message_AllowEditing": True,
    "Message_AllowEditing_BlockEditInMinutes": 0,
    "Message_AllowUnrecognizedSlashCommand": False,
    "Message_MaxAllowedSize": 5000,
    "Message_QuoteChainLimit": 2,
    "Message_ShowDeletedStatus": False,
    "Omnichannel_allow_visitors_to_close_conversation": True,
    "Site_Url": "",
    "Store_Last_Message": True,
    "Threads_enabled": True,
    "UI_Allow_room_names_with_special_chars": False,
    "UI_Use_Real_Name": False,
    "uniqueID": "sandbox",
}
"""Readable by anyone over settings.public: a small part of what a real workspace shows there."""

PRIVATE: dict[str, Any] = {
    "Accounts_LoginExpiration": 90,
    "Accounts_TwoFactorAuthentication_Enforce_Password_Fallback": True,
    "Accounts_TwoFactorAuthentication_RememberFor": 1800,
    "API_Allow_Infinite_Count": True,
    "API_Default_Count": 50,
    "API_Enable_Rate_Limiter": True,
    "API_Enable_Rate_Limiter_Limit_Calls_Default": 10,
    "API_Enable_Rate_Limiter_Limit_Time_Default": 60000,
    "API_Upper_Count_Limit": 100,
    "DDP_Rate_Limit_Connection_By_Method_Enabled": True,
    "DDP_Rate_Limit_Connection_By_Method_Interval_Time": 10000,
    "DDP_Rate_Limit_Connection_By_Method_Requests_Allowed": 10,
    "DDP_Rate_Limit_Connection_Enabled": True,
    "DDP_Rate_Limit_Connection_Interval_Time": 60000,
    "DDP_Rate_Limit_Connection_Requests_Allowed": 600,
    "DDP_Rate_Limit_User_By_Method_Enabled": True,
    "DDP_Rate_Limit_User_By_Method_Interval_Time": 10000,
    "DDP_Rate_Limit_User_By_Method_Requests_Allowed": 20,
    "DDP_Rate_Limit_User_Enabled": True,
    "DDP_Rate_Limit_User_Interval_Time": 60000,
    "DDP_Rate_Limit_User_Requests_Allowed": 1200,
    "FileUpload_Restrict_to_room_members": True,
    "FileUpload_Restrict_to_users_who_can_access_room": False,
    "Livechat_assign_new_conversation_to_bot": False,
    "Livechat_enabled_when_agent_idle": True,
    "Message_CustomFields_Enabled": False,
    "Message_KeepHistory": False,
    "UTF8_Channel_Names_Validation": "[0-9a-zA-Z-_.]+",
}


class Settings(dict[str, Any]):
    """Setting a value announces it: `changed(id, value)`."""

    def __init__(self, changed: Callable[[str, Any], None]) -> None:
        super().__init__({**PUBLIC, **PRIVATE})
        self._changed = changed

    def __setitem__(self, id: str, value: Any) -> None:
        super().__setitem__(id, value)
        self._changed(id, value)
