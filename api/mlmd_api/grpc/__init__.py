"""gRPC: one generic handler for every method, health, reflection, and the server that carries them."""
