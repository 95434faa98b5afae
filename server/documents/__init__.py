"""The documents of the API, made from what the features declare: OpenAPI, AsyncAPI, TypeScript types, the page."""
