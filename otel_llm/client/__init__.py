"""A thin LLM client over a table of services, with the model of each agent chosen at run time. No tracing code in it."""
