"""Event streams of newer firmware: each new document as it comes, followed in the background."""
