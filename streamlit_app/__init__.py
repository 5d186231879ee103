"""The pages: thin over `outlay`, which holds what they show and do."""
