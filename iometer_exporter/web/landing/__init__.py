"""The page for people: what is known of the bridges, put into words, numbers and HTML."""
