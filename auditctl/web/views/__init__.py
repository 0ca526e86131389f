"""One module for each page. A view takes a `Visit`, calls the library and renders a template."""
