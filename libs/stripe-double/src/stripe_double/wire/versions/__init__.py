"""API versions: what a request of an older one means, and how objects look in it.

The double works in the newest version throughout. Each older release train is one step away from
the next: what the step added is taken out, what it renamed is named as before. All of it is data
and pure functions; nothing here knows the world.
"""

from __future__ import annotations
