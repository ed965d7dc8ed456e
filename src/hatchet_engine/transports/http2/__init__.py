"""HTTP/2 and gRPC, the server's side, on asyncio. Knows nothing of Hatchet.

``connection`` holds the protocol without input and output (RFC 9113), ``grpc`` puts calls on top
(``unary``, ``streaming``), ``endpoint`` and ``server`` connect both to sockets. Why this is our
own: decision 5.
"""
