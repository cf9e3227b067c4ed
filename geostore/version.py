"""The version of geostore, in one place: pyproject.toml reads it from here.

Not looked up among the installed packages, because the name there is not the import's: on the
package index ``geostore`` is another project, and this one is ``geostore-distill``.
"""

VERSION = "0.1.0"
