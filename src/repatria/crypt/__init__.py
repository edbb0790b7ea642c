"""The age format, its keys and SSH signatures; knows nothing of stores."""
