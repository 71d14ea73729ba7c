"""One of the two sources: the bridges of a home or a farm, read at scrape time within the deadline."""
