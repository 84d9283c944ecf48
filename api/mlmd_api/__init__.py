"""What the server answers on every wire: gRPC, gRPC-Web, Connect, REST and GraphQL over one dispatch of calls."""
