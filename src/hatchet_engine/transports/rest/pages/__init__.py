"""Server-rendered HTML: no scripts, nothing loaded from elsewhere."""
