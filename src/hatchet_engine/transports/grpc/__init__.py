"""The official Hatchet protocol and our session protocol, over gRPC.

``codecs`` turn messages into commands and deliveries into messages; ``servicers`` are plain
functions on messages; ``server`` and ``binding`` alone know the gRPC library.
"""
