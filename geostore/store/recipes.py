"""Recipes as rows: one row per hash."""

from __future__ import annotations

from geostore.conversation.recipe import recipe_hash
from geostore.records import ImportedRecipe, Recipe
from geostore.store import rows
from geostore.store.db import Db, utc_now


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
