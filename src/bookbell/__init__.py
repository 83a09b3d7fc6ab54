"""bookbell: self-hosted webhook notifications for books of documents."""

__version__ = "0.1.0"
