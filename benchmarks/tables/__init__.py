"""The tables of the pages of results, one module for a theme; `report.py` puts them into the pages."""
