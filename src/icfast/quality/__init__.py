"""Quality of documents: their losses under an n-gram or neural model."""
