"""HTTP only: routes, negotiation, middleware, error handlers."""
