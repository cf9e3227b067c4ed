"""Recipes as rows: one row per hash."""

from __future__ import annotations

from fnmatch import fnmatchcase

from geostore.conversation.recipe import recipe_hash
from geostore.errors import NotFoundError
from geostore.records import ImportedRecipe, Recipe
from geostore.store import rows
from geostore.store.db import Db, utc_now
from geostore.text.nearest import did_you_mean


class Recipes:
    """The recipes of a store."""

    def __init__(self, db: Db) -> None:
        self._db = db

    def put_recipe(self, recipe: Recipe | ImportedRecipe) -> int:
        """Record a recipe by its hash; its id."""
        sha256 = recipe_hash(recipe)
        self._db.run("put_recipe", **rows.recipe_row(recipe), sha256=sha256, now=utc_now())
        return self._db.number("find_recipe", sha256=sha256)

    def get_recipe(self, recipe_id: int) -> Recipe | ImportedRecipe:
        """A recipe by id."""
        return rows.recipe_record(self._db.run("get_recipe", recipe_id=recipe_id).fetchone())

    def find_recipe(self, start: str) -> str:
        """The first 8 hex digits of the one recipe whose hash begins so.

        Raises NotFoundError where none does, or several do; it names those that there are.
        """
        names: list[str] = sorted({row["sha256"][:8] for row in self._db.run("recipe_names")})
        fitting = [name for name in names if name.startswith(start[:8].lower())]
        if len(fitting) > 1:
            raise NotFoundError(f"several recipes begin with {start!r}: {', '.join(fitting)}")
        if not fitting:
            raise NotFoundError(_unknown(f"recipe {start!r}", start, names))
        return fitting[0]

    def explain_unknown(self, *, recipe: str | None, model: str | None) -> str | None:
        """A sentence where no recipe has this start of a hash, or this teacher; else None.

        model: may hold ``*``. For whoever gets no trace by conditions on them.
        """
        stored = [(row["sha256"][:8], row["model"]) for row in self._db.run("recipe_names")]
        if recipe and not any(sha256.startswith(recipe[:8]) for sha256, _ in stored):
            return _unknown(f"recipe {recipe!r}", recipe, [sha256 for sha256, _ in stored])
        if model and not any(fnmatchcase(name, model) for _, name in stored):
            return _unknown(f"model {model!r}", model, sorted({name for _, name in stored}))
        return None


def _unknown(what: str, name: str, names: list[str]) -> str:
    return f"no {what}{did_you_mean(name, names)}; there are: {', '.join(names) or 'none yet'}"
