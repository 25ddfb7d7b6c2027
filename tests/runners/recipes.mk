#   make recipes     the recipes for managed services in docs/recipes, against stand-ins of the services

.PHONY: recipes

recipes: setup .build/recipes/made.stamp
	$(python) -m pytest -n auto tests/integration/recipes

.build/recipes/made.stamp: tests/requirements-recipes.txt tests/runners/recipe_needs.py
	$(python) -m tests.runners.recipe_needs
	touch $@
