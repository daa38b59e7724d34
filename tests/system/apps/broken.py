raise ImportError("this module cannot be loaded, on purpose")
