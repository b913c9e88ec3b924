"""Streaming system design, learned by breaking it."""
