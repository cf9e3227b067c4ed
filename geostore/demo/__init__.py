"""The demo: road scenes with a known place, and an offline teacher that reads them.

Nothing here knows the store or the pipeline. The photos are a dataset like any
other, and the teacher is a server on loopback that gets only the request.
"""
