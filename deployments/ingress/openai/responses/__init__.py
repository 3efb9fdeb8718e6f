"""OpenAI's Responses API: forwarded to who speaks it, translated to a chat for all others, kept in the hub.

Reading order: `api.py` → `request.py` → `chat.py` (to a chat) → `native.py`, `translated.py` (back).
"""
