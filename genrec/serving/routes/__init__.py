"""The places of a service, a file each: ``router(service)`` makes the routes of one (the extra ``serve``).

Annotations of handlers are read by FastAPI when they are made, so these files have no postponed ones.
"""
