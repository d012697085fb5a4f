"""Uses a module whose functions are traced, and what it has open is to be closed at the end."""
import atexit

from keeping import Depot

depot = Depot()
kept = depot.take()
depot.give(depot.take())
# Called before the recorder's own function or behind it: it is seen.
atexit.register(depot.give, kept)
