"""The language in which images are searched for: text to a typed tree, which windmill.storage.search makes SQL of."""
