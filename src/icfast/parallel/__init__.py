"""Threads, the memory budget and large buffers: the options of work."""
