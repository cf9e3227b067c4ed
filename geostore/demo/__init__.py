"""The demo: road scenes with a known place, and an offline teacher that reads them.

Nothing here knows the store or the pipeline: the photos go in as any dataset
does, and the teacher is a server on loopback that gets only the request.
"""
