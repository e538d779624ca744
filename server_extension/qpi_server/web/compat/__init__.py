"""Other people's clients: surfaces with their names, over the lab's own services."""
