"""What happens next, and what it is worth."""
