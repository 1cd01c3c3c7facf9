"""Looking at a page: rules that need nothing, and a model where one is configured."""
