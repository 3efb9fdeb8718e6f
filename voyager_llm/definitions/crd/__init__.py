"""The custom resources `llm.voyager.io/v1`: their pydantic models, and the CRDs generated from them."""
