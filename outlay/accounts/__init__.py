"""Who people are: accounts, passwords, sessions and tokens. What they are called travels in events."""
