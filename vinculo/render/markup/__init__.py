"""A template's HTML and CSS, worked on before it is rendered, with Jinja's tags held out of the way."""
