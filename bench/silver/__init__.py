"""`outlay bench silver`."""
