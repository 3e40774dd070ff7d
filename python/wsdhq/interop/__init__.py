"""Meeting other libraries: `wsdhq.interop.faiss` exchanges indexes with faiss.

Nothing here is imported before it is asked for, and none of the libraries is needed by the rest.
"""
