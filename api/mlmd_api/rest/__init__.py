"""HTTP: every unary method as Connect and gRPC-Web by one handler, and the pages that operators ask for."""
