"""The demonstration: a real agent pipeline, from its LLM calls to two destinations and their comparison."""
