"""What can be set, where each value came from, and the traits that hold them."""
