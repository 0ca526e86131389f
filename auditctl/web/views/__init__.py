"""The views: one file for each page. A view takes a `Visit`, asks the library, and fills a template."""
