"""Codecs between the SDK's own objects and the bytes on the wire. gRPC and protobuf stay here."""
