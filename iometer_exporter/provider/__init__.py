"""The vendor's cloud: the GraphQL API of providers as one more source beside the bridges."""
